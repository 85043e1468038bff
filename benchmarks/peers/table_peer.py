"""Fits one peer with its defaults on a table and prints its figures on the test part as a line of JSON.

    python table_peer.py PEER TRAIN.csv TEST.csv classes|values SEED THREADS
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd


def columns_of(frame):
    """The names of the columns of text, and of the others."""
    text = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    return text, [name for name in frame if name not in text]


def as_categories(train, test):
    """Text as categories that both parts share, for the trees."""
    text, _ = columns_of(train)
    for name in text:
        kind = pd.CategoricalDtype(sorted(train[name].dropna().unique()))
        train[name], test[name] = train[name].astype(kind), test[name].astype(kind)
    return train, test


def sklearn_mlp(classes, seed, threads, train):
    """scikit-learn's MLP in the pipeline that suits it best: quantiles, one-hot, early stopping, standardized targets."""
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

    text, numbers = columns_of(train)
    rare = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10, sparse_output=False)
    numeric = make_pipeline(
        SimpleImputer(strategy="median"), QuantileTransformer(output_distribution="normal", random_state=seed)
    )
    columns = make_column_transformer((rare, text), (numeric, numbers))
    settings = {"hidden_layer_sizes": (256, 256), "early_stopping": True, "random_state": seed, "max_iter": 200}
    if classes:
        return make_pipeline(columns, MLPClassifier(**settings))
    network = TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler())
    return make_pipeline(columns, network)


def hist_gradient_boosting(classes, seed, threads, train):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return make(random_state=seed, categorical_features="from_dtype")


def lightgbm(classes, seed, threads, train):
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMClassifier if classes else LGBMRegressor)(random_state=seed, n_jobs=threads, verbose=-1)


def xgboost(classes, seed, threads, train):
    from xgboost import XGBClassifier, XGBRegressor

    return (XGBClassifier if classes else XGBRegressor)(random_state=seed, n_jobs=threads, enable_categorical=True)


def catboost(classes, seed, threads, train):
    from catboost import CatBoostClassifier, CatBoostRegressor

    text, _ = columns_of(train)
    make = CatBoostClassifier if classes else CatBoostRegressor
    return make(random_seed=seed, thread_count=threads, verbose=0, allow_writing_files=False, cat_features=text)


class Gradus:
    """The program `gradus`: rows go through files, so that what it is given is what a user has."""

    def __init__(self, options, seed, threads):
        self.command = [os.environ["GRADUS_PROGRAM"]]
        self.options = [*options, "--seed", str(seed), "--threads", str(threads)]
        self.folder = tempfile.TemporaryDirectory()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run(self, *arguments):
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"gradus {arguments[0]}: error: {done.stderr.strip().splitlines()[-1]}")

    def fit_file(self, path):
        self.run("train", "--data", path, "--test", path, "--quiet", "--out", self.path("m.safetensors"), *self.options)

    def predict_file(self, path):
        self.run("predict", self.path("m.safetensors"), path, "--out", self.path("p.csv"))
        return pd.read_csv(self.path("p.csv"))


def pytabkit(name):
    def make(classes, seed, threads, train):
        from pytabkit import models

        make = getattr(models.sklearn.sklearn_interfaces, f"{name}_{'Classifier' if classes else 'Regressor'}")
        return make(random_state=seed, device="cpu", n_threads=threads, verbosity=0)

    return make


# gradus's presets for tables; "gradus" is what it does without any option, "gradus-bag" five of these networks.
GRADUS = {
    "gradus": [],
    "gradus-bag": ["--members", "5"],
    "gradus-tabular": ["--preset", "tabular"],
    "gradus-tabular-small": ["--preset", "tabular-small"],
    "gradus-tabular-quick": ["--preset", "tabular-quick"],
}

# Name -> how it is made, and whether it takes text as categories of pandas.
PEERS = {
    "sklearn-mlp": (sklearn_mlp, False),
    "hist-gradient-boosting": (hist_gradient_boosting, True),
    "lightgbm": (lightgbm, True),
    "xgboost": (xgboost, True),
    "catboost": (catboost, False),
    "realmlp-td": (pytabkit("RealMLP_TD"), False),
    "realmlp-td-s": (pytabkit("RealMLP_TD_S"), False),
    "tabm": (pytabkit("TabM_D"), False),
}


def clocks():
    """The time on the wall, and that of processors, of finished children too."""
    return time.perf_counter(), sum(os.times()[:4])


def times(begin, fitted, done):
    """The figures of fitting and predicting, between what `clocks` returned."""
    return {
        "fit_seconds": fitted[0] - begin[0],
        "fit_cpu_seconds": fitted[1] - begin[1],
        "predict_seconds": done[0] - fitted[0],
    }


def main():
    peer, train_path, test_path, task, seed, threads = sys.argv[1:]
    warnings.simplefilter("ignore")
    classes, seed, threads = task == "classes", int(seed), int(threads)
    if peer in GRADUS:
        return gradus(GRADUS[peer], train_path, test_path, classes, seed, threads)
    make, categories = PEERS[peer]
    train, test = pd.read_csv(train_path), pd.read_csv(test_path)
    target = train.columns[-1]
    train_y, test_y = train.pop(target), test.pop(target)
    names = None
    if classes:
        # Codes, which all peers take.
        names = sorted(train_y.unique())
        codes = {name: at for at, name in enumerate(names)}
        train_y, test_y = train_y.map(codes).to_numpy(), test_y.map(codes).to_numpy()
    if categories:
        train, test = as_categories(train, test)
    elif peer == "catboost":
        text, _ = columns_of(train)
        train[text], test[text] = train[text].fillna("").astype(str), test[text].fillna("").astype(str)
    model = make(classes, seed, threads, train)
    begin = clocks()
    model.fit(train, train_y)
    fitted = clocks()
    predicted = model.predict_proba(test) if classes else model.predict(test)
    done = clocks()
    print(json.dumps(times(begin, fitted, done) | measured(classes, np.asarray(predicted), test_y, names)))


def gradus(options, train_path, test_path, classes, seed, threads):
    """As `main`, with the times of whole commands: reading the files, training, writing."""
    model = Gradus(options, seed, threads)
    begin = clocks()
    model.fit_file(train_path)
    fitted = clocks()
    predicted = model.predict_file(test_path)
    done = clocks()
    wanted, names = pd.read_csv(test_path).iloc[:, -1], None
    if classes:
        names = sorted(pd.read_csv(train_path).iloc[:, -1].unique())
        wanted = wanted.map({name: at for at, name in enumerate(names)}).to_numpy()
        predicted = predicted[[f"probability_{name}" for name in names]].to_numpy()
    else:
        predicted = predicted.iloc[:, -1].to_numpy()
    print(json.dumps(times(begin, fitted, done) | measured(classes, predicted, wanted, names)))


def measured(classes, predicted, wanted, names):
    from sklearn.metrics import log_loss, roc_auc_score

    if not classes:
        error = np.sqrt(np.mean((predicted.ravel() - np.asarray(wanted)) ** 2))
        return {"rmse": float(error)}
    found = {
        "error": float(np.mean(predicted.argmax(axis=1) != wanted)),
        "log_loss": float(log_loss(wanted, predicted, labels=range(len(names)))),
    }
    if len(names) == 2:
        found["auc"] = float(roc_auc_score(wanted, predicted[:, 1]))
    return found


if __name__ == "__main__":
    main()
