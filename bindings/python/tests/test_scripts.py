"""Small scripts as a user of scikit-learn writes them, run with scikit-learn's two classes and with gradus's.

Each script takes the two classes and returns what it prints or keeps. What is not a score must be the same for both:
shapes, types, names, which warnings there are. Scores may differ by the tolerance beside the script: other random numbers
draw the weights and shuffle the samples.
"""

import io
import pickle
import warnings

import numpy as np
import pytest

import gradus

pytest.importorskip("sklearn")
joblib = pytest.importorskip("joblib")
pandas = pytest.importorskip("pandas")
from scipy.stats import loguniform  # noqa: E402
from sklearn import neural_network  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor  # noqa: E402
from sklearn.datasets import (  # noqa: E402
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_multilabel_classification,
    make_regression,
)
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.inspection import partial_dependence, permutation_importance  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import f1_score, roc_auc_score  # noqa: E402
from sklearn.model_selection import (  # noqa: E402
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

SCRIPTS = {}


def script(tolerance):
    """Adds a function to the scripts."""
    return lambda function: SCRIPTS.setdefault(function.__name__, (function, tolerance))


def standardized(data):
    return StandardScaler().fit_transform(data.data), data.target


@script(0.05)
def a_pipeline(Classifier, Regressor):
    X, y = load_wine(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(X, y, stratify=y, random_state=0)
    model = make_pipeline(StandardScaler(), Classifier(max_iter=500, random_state=0)).fit(train_X, train_y)
    return {"score": model.score(test_X, test_y), "classes": model.classes_.tolist(), "steps": list(model.named_steps)}


@script(0.04)
def a_grid_search(Classifier, Regressor):
    X, y = standardized(load_breast_cancer())
    grid = {"hidden_layer_sizes": [(10,), (20, 10)], "alpha": [1e-4, 1e-1], "activation": ["relu", "tanh"]}
    search = GridSearchCV(Classifier(max_iter=100, random_state=0), grid, cv=3).fit(X, y)
    return {"score": search.best_score_, "keys": sorted(search.best_params_), "runs": len(search.cv_results_["params"])}


@script(0.04)
def a_randomized_search(Classifier, Regressor):
    X, y = standardized(load_iris())
    space = {"learning_rate_init": loguniform(1e-3, 1e-1), "solver": ["adam", "sgd"], "batch_size": [16, 32]}
    model = Classifier((16,), max_iter=200, random_state=0)
    search = RandomizedSearchCV(model, space, n_iter=6, cv=3, random_state=0).fit(X, y)
    return {"score": search.best_score_, "keys": sorted(search.best_params_)}


@script(0.05)
def calibration(Classifier, Regressor):
    X, y = standardized(load_breast_cancer())
    model = CalibratedClassifierCV(Classifier((20,), max_iter=100, random_state=0), cv=3).fit(X, y)
    proba = model.predict_proba(X)
    return {"score": roc_auc_score(y, proba[:, 1]), "shape": proba.shape, "dtype": str(proba.dtype)}


@script(0.1)
def several_targets(Classifier, Regressor):
    X, y = make_regression(300, 8, n_targets=3, noise=5.0, random_state=0)
    y = y / y.std(axis=0)
    model = Regressor(hidden_layer_sizes=(50,), max_iter=1000, random_state=0).fit(X, y)
    return {"score": model.score(X, y), "shape": model.predict(X[:5]).shape, "outputs": model.n_outputs_}


@script(0.12)
def several_labels(Classifier, Regressor):
    X, Y = make_multilabel_classification(400, 20, n_classes=5, random_state=0)
    model = Classifier((30,), max_iter=300, random_state=0).fit(X[:300], Y[:300])
    predicted, proba = model.predict(X[300:]), model.predict_proba(X[300:])
    return {
        "score": f1_score(Y[300:], predicted, average="micro"),
        "shapes": (predicted.shape, proba.shape),
        "values": np.unique(predicted).tolist(),
        "activation": model.out_activation_,
    }


@script(0.12)
def a_classifier_for_each_label(Classifier, Regressor):
    X, Y = make_multilabel_classification(300, 20, n_classes=3, random_state=0)
    model = MultiOutputClassifier(Classifier((20,), max_iter=200, random_state=0)).fit(X, Y)
    proba = model.predict_proba(X)
    return {"score": model.score(X, Y), "shapes": [it.shape for it in proba], "predicted": model.predict(X).shape}


@script(0.12)
def a_classifier_chain(Classifier, Regressor):
    X, Y = make_multilabel_classification(300, 20, n_classes=3, random_state=0)
    model = ClassifierChain(Classifier((20,), max_iter=200, random_state=0), random_state=0).fit(X, Y)
    return {"score": f1_score(Y, model.predict(X), average="macro"), "shape": model.predict_proba(X).shape}


@script(0.05)
def one_against_the_rest(Classifier, Regressor):
    X, y = standardized(load_iris())
    model = OneVsRestClassifier(Classifier((10,), max_iter=300, random_state=0)).fit(X, y)
    return {"score": model.score(X, y), "shape": model.predict_proba(X).shape, "models": len(model.estimators_)}


@script(0.05)
def predictions_by_cross_validation(Classifier, Regressor):
    X, y = standardized(load_wine())
    model = Classifier((20,), max_iter=200, random_state=0)
    proba = cross_val_predict(model, X, y, cv=3, method="predict_proba")
    return {"score": float(np.mean(proba.argmax(axis=1) == y)), "shape": proba.shape, "dtype": str(proba.dtype)}


@script(0.2)
def importances(Classifier, Regressor):
    X, y = make_regression(300, 5, n_informative=2, random_state=0, shuffle=False)
    model = Regressor(hidden_layer_sizes=(30,), max_iter=1000, learning_rate_init=0.01, random_state=0).fit(X, y / y.std())
    found = permutation_importance(model, X, y / y.std(), n_repeats=5, random_state=0)
    return {
        "score": float(found.importances_mean[:2].sum() / np.abs(found.importances_mean).sum()),
        "shape": found.importances.shape,
    }


@script(0.25)
def dependence_on_a_feature(Classifier, Regressor):
    X, y = standardized(load_diabetes())
    y = (y - y.mean()) / y.std()
    model = Regressor(hidden_layer_sizes=(20,), max_iter=300, alpha=1.0, random_state=0).fit(X, y)
    found = partial_dependence(model, X, features=[2], grid_resolution=20)
    curve = found["average"][0]
    return {"score": float(curve[-1] - curve[0]) / 2.5, "shape": found["average"].shape, "keys": sorted(found)}


@script(0.08)
def a_learning_curve(Classifier, Regressor):
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), Classifier((32,), max_iter=100, random_state=0))
    sizes, train, test = learning_curve(model, X[:600], y[:600], cv=3, train_sizes=[0.3, 1.0])
    return {"score": float(test[-1].mean()), "sizes": sizes.tolist(), "shapes": (train.shape, test.shape)}


@script(0.05)
def a_validation_curve(Classifier, Regressor):
    X, y = standardized(load_breast_cancer())
    model = Classifier((10,), max_iter=100, random_state=0)
    train, test = validation_curve(model, X, y, param_name="alpha", param_range=[1e-5, 1e-2, 1e1], cv=3)
    return {"score": float(test[1].mean()), "shapes": (train.shape, test.shape)}


@script(0.03)
def a_model_on_disk(Classifier, Regressor):
    X, y = standardized(load_iris())
    model = Classifier((10,), max_iter=300, learning_rate_init=0.01, random_state=0).fit(X, y)
    copy, file = pickle.loads(pickle.dumps(model)), io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    other = joblib.load(file)
    equal = np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    return {"score": other.score(X, y), "equal": equal, "parameters": other.get_params()["max_iter"]}


@script(0.05)
def frames_all_the_way(Classifier, Regressor):
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), Classifier(max_iter=300, random_state=0)).set_output(transform="pandas")
    model.fit(X, y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model[-1].predict(model[0].transform(X).to_numpy())
    return {
        "score": model.score(X, y),
        "names": model[-1].feature_names_in_.tolist(),
        "warnings": [str(it.message).replace("MLPClassifier", "") for it in caught],
    }


@script(0.08)
def columns_of_text_and_numbers(Classifier, Regressor):
    generator = np.random.default_rng(0)
    frame = pandas.DataFrame({"size": generator.normal(size=400), "colour": generator.choice(["red", "green", "blue"], 400)})
    y = np.where((frame["size"] > 0) ^ (frame["colour"] == "red"), "yes", "no")
    columns = ColumnTransformer([("number", StandardScaler(), ["size"]), ("text", OneHotEncoder(), ["colour"])])
    model = make_pipeline(columns, Classifier((20,), max_iter=400, learning_rate_init=0.01, random_state=0)).fit(frame, y)
    return {"score": model.score(frame, y), "predicted": sorted(set(model.predict(frame)))}


@script(0.1)
def one_epoch_at_a_time(Classifier, Regressor):
    X, y = standardized(load_digits())
    model, scores = Classifier((32,), max_iter=1, warm_start=True, random_state=0), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(15):
            scores.append(model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]))
    return {"score": scores[-1], "epochs": model.n_iter_, "rises": scores[-1] > scores[0]}


@script(0.06)
def a_stream_of_batches(Classifier, Regressor):
    X, y = standardized(load_digits())
    model = Classifier((32,), random_state=0)
    for epoch in range(10):
        for start in range(0, 1000, 100):
            model.partial_fit(X[start : start + 100], y[start : start + 100], classes=np.arange(10))
    return {"score": model.score(X[1000:], y[1000:]), "samples": model.t_, "classes": model.classes_.tolist()}


@script(0.04)
def an_ensemble(Classifier, Regressor):
    X, y = standardized(load_breast_cancer())
    members = [("network", Classifier((10,), max_iter=100, random_state=0)), ("linear", LogisticRegression())]
    votes = VotingClassifier(members, voting="soft").fit(X, y)
    stack = StackingClassifier(members, cv=3).fit(X, y)
    return {"score": votes.score(X, y), "stacked": round(stack.score(X, y), 1), "shape": stack.transform(X).shape}


@script(0.1)
def a_transformed_target(Classifier, Regressor):
    X, y = standardized(load_diabetes())
    network = Regressor(hidden_layer_sizes=(20,), max_iter=500, alpha=1.0, random_state=0)
    model = TransformedTargetRegressor(network, transformer=StandardScaler())
    found = cross_val_score(model, X, y, cv=3)
    return {"score": float(found.mean()), "folds": len(found)}


@script(0.12)
def a_bag(Classifier, Regressor):
    X, y = standardized(load_diabetes())
    y = (y - y.mean()) / y.std()
    model = BaggingRegressor(Regressor(hidden_layer_sizes=(10,), max_iter=300, random_state=0), 5, random_state=0).fit(X, y)
    return {"score": model.score(X, y), "shape": model.predict(X).shape, "features": model.n_features_in_}


@script(0.06)
def early_stopping(Classifier, Regressor):
    X, y = standardized(load_digits())
    model = Classifier((32,), early_stopping=True, max_iter=300, random_state=0).fit(X, y)
    y = (y - y.mean()) / y.std()
    other = Regressor(hidden_layer_sizes=(32,), early_stopping=True, max_iter=300, random_state=0).fit(X, y)
    return {
        "score": model.best_validation_score_,
        "stopped": (model.n_iter_ < 300, other.n_iter_ < 300),
        "best": [max(it.validation_scores_) == it.best_validation_score_ for it in (model, other)],
        "losses": (model.best_loss_, other.best_loss_),
        "lengths": [len(it.validation_scores_) == len(it.loss_curve_) == it.n_iter_ for it in (model, other)],
    }


@script(0.05)
def weights_of_samples(Classifier, Regressor):
    X, y = standardized(load_breast_cancer())
    weights = np.where(y == 0, 5.0, 1.0)
    model = Classifier((10,), max_iter=200, random_state=0).fit(X, y, sample_weight=weights)
    return {"score": model.score(X, y, sample_weight=weights), "classes": model.classes_.tolist()}


@script(0.05)
def small_data_by_lbfgs(Classifier, Regressor):
    X, y = standardized(load_iris())
    model = Classifier((10,), solver="lbfgs", max_iter=500, random_state=0).fit(X[::2], y[::2])
    X2, y2 = standardized(load_diabetes())
    other = Regressor(hidden_layer_sizes=(5,), solver="lbfgs", alpha=10.0, max_iter=500, random_state=0).fit(X2, y2)
    return {"score": model.score(X[1::2], y[1::2]), "fits": round(other.score(X2, y2), 1) >= 0.5, "curve": hasattr(model, "loss_")}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_runs_with_both(name):
    run, tolerance = SCRIPTS[name]
    theirs = run(neural_network.MLPClassifier, neural_network.MLPRegressor)
    ours = run(gradus.MLPClassifier, gradus.MLPRegressor)
    scores = ours.pop("score"), theirs.pop("score")
    assert ours == theirs
    assert abs(scores[0] - scores[1]) <= tolerance, scores


if __name__ == "__main__":
    # The scores side by side, to be looked at.
    warnings.simplefilter("ignore")
    for name, (run, tolerance) in SCRIPTS.items():
        found = []
        for classes in (neural_network, gradus):
            try:
                found.append(run(classes.MLPClassifier, classes.MLPRegressor))
            except Exception as error:  # What fails is to be seen beside what does not.
                found.append({"score": float("nan"), "error": f"{type(error).__name__}: {error}"[:150]})
        theirs, ours = found
        rest = [{key: value for key, value in it.items() if key != "score"} for it in found]
        print(f"{name:34} {theirs['score']:.4f} {ours['score']:.4f}", "" if rest[0] == rest[1] else rest, flush=True)
