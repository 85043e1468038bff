"""Model files: written and read by the package and by the program alike."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradus import MLPClassifier, MLPRegressor, datasets


def program():
    """The program `gradus`, where there is one."""
    named = os.environ.get("GRADUS_PROGRAM")
    root = Path(__file__).parents[3]
    built = [root / "target" / kind / "gradus" for kind in ("release", "debug")]
    for path in [Path(named)] if named else built:
        if path.is_file():
            return path
    return pytest.skip("the program is not built: cargo build, or GRADUS_PROGRAM")


def parameters(path):
    """The tensors of a model file."""
    found, tensors = header(path)
    found.pop("__metadata__")
    return sorted(found), tensors


def test_saved_and_loaded(table, tmp_path):
    X, y = table
    path = tmp_path / "model.safetensors"
    model = MLPClassifier((20, 7), solver="muon", max_iter=5, random_state=0, normalization="unit")
    model.fit(X, y, validation_data=(X, y)).save(path)
    again = MLPClassifier.load(path)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.get_params() == model.get_params()
    for name in ("history_", "n_iter_", "loss_curve_", "validation_scores_", "t_", "outcome_"):
        assert getattr(again, name) == getattr(model, name), name
    # Training goes on from its weights and its normalization, with a fresh solver.
    few = again.partial_fit(X[:9] * 0.5, y[:9])
    assert few.n_iter_ == 6
    assert {len(values) for values in few.history_.values()} == {6}
    assert np.mean(few.predict(X) == model.predict(X)) > 0.8
    model.save(str(path))


def test_errors_of_files(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        MLPClassifier.load(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="must end in .safetensors"):
        fitted.save(tmp_path / "model.pkl")
    (tmp_path / "text.safetensors").write_text("epoch,loss\n1,2\n")
    with pytest.raises(ValueError, match="no model that gradus reads"):
        MLPClassifier.load(tmp_path / "text.safetensors")
    with pytest.raises(FileNotFoundError):
        fitted.save(tmp_path / "nowhere" / "model.safetensors")
    with pytest.raises(ValueError, match="is not trained yet"):
        MLPClassifier().save(tmp_path / "model.safetensors")


def test_the_recipe_says_that_samples_were_weighted(table, tmp_path):
    X, y = table
    path = tmp_path / "model.safetensors"
    found = []
    for weights in (None, np.ones(len(X))):
        MLPClassifier((4,), max_iter=1).fit(X, y, weights).save(path)
        training = json.loads(header(path)[0]["__metadata__"]["training"])
        found.append(training["config"].get("sample_weights"))
    assert found == [None, "array"]


# As earlier versions wrote the settings of `MLPClassifier((4,), solver="rmsprop", schedule="step:2:0.5")`.
NESTED = {
    "hidden": [4], "activation": ["relu"], "init": "auto", "normalization": "unit", "epochs": 1,
    "batch_size": {"samples": 200}, "learning_rate": 0.001, "schedule": {"step": {"epochs": 2, "factor": 0.5}},
    "optimizer": {"name": "rmsprop", "decay": 0.99, "momentum": 0.0, "epsilon": 1e-8, "weight_decay": 0.0},
    "warm_up": 0.0, "validation": 0.0, "seed": 0, "monitor": None, "early_stopping": None,
    "regularization": {
        "dropout": 0.0, "input_dropout": 0.0, "noise": 0.0, "input_noise": 0.0, "batch_norm": False,
        "label_smoothing": 0.0, "mixup": 0.0, "l1": 0.0, "l2": 5e-7, "max_norm": None, "clip_norm": None,
        "clip_value": None, "average": 0.9, "class_weights": "equal",
        "distortion": {"shift": 0.0, "rotate": 0.0, "scale": 0.0, "shear": 0.0, "elastic": None},
        "sample_weights": "array",
    },
}  # fmt: skip


def header(path):
    """The metadata of a model file, and what follows the header."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_nested_settings(path, python):
    """Rewrites a model file as an earlier version would have written it."""
    found, tensors = header(path)
    metadata = found["__metadata__"]
    training = {**json.loads(metadata["training"]), "config": NESTED}
    if not python:
        del training["python"]
    # Which raw values the model takes, and a checksum, came later.
    kept = {key: value for key, value in metadata.items() if key not in ("sha256", "inputs")}
    found["__metadata__"] = {**kept, "training": json.dumps(training)}
    text = json.dumps(found).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + tensors)


def test_settings_are_saved_in_the_form_of_the_program(small_set, tmp_path):
    path, x, y = small_set
    run = [
        program(), "train", "--data", path, "--hidden", "16,8", "--activation", "tanh,relu", "--epochs", "2",
        "--batch-size", "50", "--optimizer", "sgd", "--momentum", "0.8", "--schedule", "step:1:0.5",
        "--normalize", "unit", "--l1", "1e-5", "--clip-norm", "2", "--ema-decay", "0.9", "--batch-norm",
        "--class-weights", "balanced", "--init", "auto", "--warm-up", "0", "--weight-decay", "0",
        "--out", tmp_path / "program.safetensors",
    ]  # fmt: skip
    subprocess.run(run, check=True, capture_output=True)
    MLPClassifier(
        (16, 8), ("tanh", "relu"), max_iter=2, batch_size=50, solver="sgd", momentum=0.8,
        nesterovs_momentum=False, learning_rate_init=0.01, schedule="step:1:0.5", normalization="unit",
        l1=1e-5, clip_norm=2, ema_decay=0.9, batch_norm=True, class_weight="balanced", alpha=0.0,
        random_state=0, n_iter_no_change=None, init="auto",
    ).fit(x[:500], y[:500]).save(tmp_path / "package.safetensors")  # fmt: skip
    written = [
        json.loads(header(tmp_path / f"{name}.safetensors")[0]["__metadata__"]["training"])["config"]
        for name in ("program", "package")
    ]
    assert written[0] == written[1]
    assert written[1]["schedule"] == "step:1:0.5" and written[1]["hidden"] == "16,8"


@pytest.mark.parametrize("python", [True, False])
def test_files_with_nested_settings_are_read_and_written_flat(table, tmp_path, python):
    X, y = table
    path = tmp_path / "model.safetensors"
    model = MLPClassifier((4,), solver="rmsprop", schedule="step:2:0.5", normalization="unit", max_iter=1)
    model.fit(X, y).save(path)
    with_nested_settings(path, python)
    again = MLPClassifier.load(path)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.normalization == "unit"
    again.save(path)
    written = json.loads(header(path)[0]["__metadata__"]["training"])["config"]
    assert (written["schedule"], written["optimizer"], written["beta2"]) == ("step:2:0.5", "rmsprop", 0.99)
    assert (written["ema_decay"], written["sample_weights"]) == (0.9, "array")
    assert "regularization" not in written


def test_a_pickle_of_an_earlier_version_is_read_and_saved(table, tmp_path):
    X, y = table
    path = tmp_path / "model.safetensors"
    model = MLPClassifier((4,), max_iter=1, random_state=0).fit(X, y)
    state = dict(vars(model), _config=json.dumps({**NESTED, "threads": 2}), average=0.5)
    del state["ema_decay"], state["dropout"]
    older = MLPClassifier.__new__(MLPClassifier)
    older.__setstate__(state)
    assert (older.ema_decay, older.dropout) == (0.5, 0.0)
    assert np.array_equal(older.predict(X), model.predict(X))
    for expected in ("rmsprop", "adam"):
        older.save(path)
        written = json.loads(header(path)[0]["__metadata__"]["training"])["config"]
        assert written["optimizer"] == expected
        assert not {"threads", "regularization"} & written.keys()
        # It then has the settings of the new run.
        older.set_params(ema_decay=None).fit(X, y)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    """A few digits as the file that the program reads, and as arrays."""
    x, y = datasets.digits(600, seed=4)
    path = tmp_path_factory.mktemp("data") / "set.npz"
    np.savez(path, x_train=x[:500], y_train=y[:500], x_test=x[500:], y_test=y[500:])
    return path, x, y


def test_the_same_recipe_gives_the_programs_model(small_set, tmp_path):
    path, x, y = small_set
    run = [
        program(), "train", "--data", path, "--hidden", "32", "--epochs", "3", "--batch-size", "50",
        "--optimizer", "adam", "--learning-rate", "0.002", "--schedule", "cosine", "--normalize",
        "unit", "--init", "auto", "--seed", "5", "--weight-decay", "0", "--dropout", "0.1",
        "--out", tmp_path / "program.safetensors",
    ]  # fmt: skip
    subprocess.run(run, check=True, capture_output=True)
    model = MLPClassifier(
        (32,), max_iter=3, batch_size=50, learning_rate_init=0.002, schedule="cosine", alpha=0.0,
        normalization="unit", random_state=5, dropout=0.1, n_iter_no_change=None, init="auto",
    )  # fmt: skip
    model.fit(x[:500], y[:500]).save(tmp_path / "package.safetensors")
    theirs = parameters(tmp_path / "program.safetensors")
    assert parameters(tmp_path / "package.safetensors") == theirs
    loaded = MLPClassifier.load(tmp_path / "program.safetensors")
    assert np.array_equal(loaded.predict_proba(x), model.predict_proba(x))
    assert loaded.classes_.tolist() == list(range(10))
    assert (loaded.n_iter_, loaded.hidden_layer_sizes) == (3, (32,))
    # Of a model of the program the figures are known, but not the times.
    assert loaded.loss_curve_ == pytest.approx(model.loss_curve_)
    loaded.partial_fit(x[:500], y[:500]).save(tmp_path / "more.safetensors")
    again = MLPClassifier.load(tmp_path / "more.safetensors")
    assert np.isnan(again.history_["seconds"]).tolist() == [True, True, True, False]
    again.save(tmp_path / "more.safetensors")


def test_the_program_takes_the_packages_model(small_set, tmp_path):
    gradus = program()
    path, x, y = small_set
    model = MLPClassifier((32,), max_iter=5, normalization="unit", random_state=0)
    model.fit(x[:500], y[:500]).save(tmp_path / "model.safetensors")
    run = [gradus, "evaluate", tmp_path / "model.safetensors", "--data", path, "--json"]
    found = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
    assert found["accuracy"] == pytest.approx(model.score(x[500:], y[500:]))
    shown = subprocess.run(
        [gradus, "inspect", tmp_path / "model.safetensors"], check=True, capture_output=True
    )
    assert b"784" in shown.stdout
    run = [gradus, "report", tmp_path / "model.safetensors", "--data", path, "--format", "csv"]
    subprocess.run([*run, "--out", tmp_path / "report"], check=True, capture_output=True)
    table = (tmp_path / "report/history.csv").read_text().splitlines()
    losses = [float(line.split(",")[1]) for line in table[1:]]
    assert losses == pytest.approx(model.loss_curve_)


def test_values_are_learned_as_by_the_program(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 4)).astype(np.float32)
    y = np.stack([x[:, 0] * x[:, 1], x[:, 2] - x[:, 3]], axis=1)
    path = tmp_path / "set.npz"
    np.savez(path, x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    run = [
        program(), "train", "--data", path, "--loss", "squared", "--hidden", "16,8", "--activation",
        "tanh,relu", "--epochs", "4", "--batch-size", "25", "--optimizer", "adam", "--learning-rate",
        "0.002", "--schedule", "constant", "--normalize", "standard", "--init", "auto", "--seed", "5",
        "--weight-decay", "0", "--out", tmp_path / "program.safetensors",
    ]  # fmt: skip
    subprocess.run(run, check=True, capture_output=True)
    model = MLPRegressor(
        hidden_layer_sizes=(16, 8), activation=("tanh", "relu"), max_iter=4, batch_size=25, learning_rate_init=0.002, alpha=0.0,
        normalization="standard", standardize_targets=True, random_state=5, n_iter_no_change=None,
        init="auto",
    )  # fmt: skip
    (x_train, y_train), (x_test, y_test) = datasets.load(path, values=True)
    model.fit(x_train, y_train).save(tmp_path / "package.safetensors")
    theirs = parameters(tmp_path / "program.safetensors")
    assert parameters(tmp_path / "package.safetensors") == theirs
    loaded = MLPRegressor.load(tmp_path / "program.safetensors")
    assert np.array_equal(loaded.predict(x_test), model.predict(x_test))
    assert (loaded.n_iter_, loaded.activation) == (4, ("tanh", "relu"))
    run = [program(), "evaluate", tmp_path / "package.safetensors", "--data", path, "--json"]
    found = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
    assert found["r2"] == pytest.approx(model.score(x_test, y_test), abs=1e-5)


def test_import_is_quick_and_without_scikit_learn():
    code = (
        "import sys, time, numpy; begin = time.perf_counter(); import gradus; "
        "took = time.perf_counter() - begin; "
        "assert not {'sklearn', 'scipy', 'pandas'} & set(sys.modules); print(took)"
    )
    run = [sys.executable, "-c", code]
    took = min(
        float(subprocess.run(run, check=True, capture_output=True).stdout) for _ in range(5)
    )
    assert took < 0.1, f"{1000 * took:.0f} ms"


def test_program_is_found_where_it_is_named():
    named = os.environ.get("GRADUS_PROGRAM")
    assert named is None or shutil.which(named), f"GRADUS_PROGRAM={named} is no program"


def test_bare_weights_are_read_as_told(tmp_path):
    random = np.random.default_rng(0)
    w1, b1, w2, b2 = (random.normal(size=size) for size in ((3, 4), 4, (4, 2), 2))
    np.savez(tmp_path / "bare.npz", w1=w1, b1=b1, w2=w2, b2=b2)
    x = random.normal(size=(5, 3)).astype(np.float32)
    with pytest.warns(UserWarning, match="relu"):
        model = MLPClassifier.load(tmp_path / "bare.npz")
    expected = np.argmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2, axis=1)
    np.testing.assert_array_equal(model.predict(x), expected)
    reported = MLPClassifier.load(tmp_path / "bare.npz", activation="tanh", normalization=(1.0, 2.0))
    logits = np.tanh((x - 1) / 2 @ w1 + b1) @ w2 + b2
    np.testing.assert_allclose(np.diff(reported.predict_log_proba(x)), np.diff(logits), rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="activation"):
        MLPClassifier.load(tmp_path / "bare.npz", activation="softsign")
