"""The NumPy notebook's run, from its own arrays and number by number."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from gradus import MLPClassifier, MLPRegressor


def notebook(x, y, arrays, epochs):
    """The notebook: samples are columns of raw pixels, everything is float64."""
    w1, b1, w2, b2 = (array.copy() for array in arrays)
    x = x.reshape(len(x), -1).T.astype(np.float64)
    m = x.shape[1]
    one_hot = np.eye(10)[y].T
    accuracy = []
    for _ in range(epochs):
        z1 = w1.T @ x + b1
        a1 = np.maximum(0, z1)
        z2 = w2.T @ a1 + b2
        e = np.exp(z2 - z2.max(axis=0))
        a2 = e / e.sum(axis=0)
        accuracy.append(np.mean(a2.argmax(axis=0) == y))
        dz2 = a2 - one_hot
        dw2 = a1 @ dz2.T / m
        db2 = dz2.sum(axis=1, keepdims=True) / m
        dz1 = (w2 @ dz2) * (z1 > 0)
        dw1 = x @ dz1.T / m
        db1 = dz1.sum(axis=1, keepdims=True) / m
        w1, b1 = w1 - 0.001 * dw1, b1 - 0.001 * db1
        w2, b2 = w2 - 0.001 * dw2, b2 - 0.001 * db2
    return np.array(accuracy), [w1, b1, w2, b2]


def start(hidden=128, seed=0):
    """The notebook's first arrays."""
    random = np.random.default_rng(seed)
    return [
        random.normal(size=(784, hidden)) * 0.01,
        np.zeros((hidden, 1)),
        random.normal(size=(hidden, 10)) * 0.01,
        np.zeros((10, 1)),
    ]


def model(arrays, epochs, **parameters):
    settings = dict(
        init=arrays, solver="sgd", momentum=0, learning_rate_init=0.001, alpha=0, batch_size="full",
        max_iter=epochs, n_iter_no_change=None,
    )  # fmt: skip
    return MLPClassifier((128,), **{**settings, **parameters})


def distance(found, expected):
    """Relative, of all numbers together."""
    return np.linalg.norm(found.ravel() - expected.ravel()) / np.linalg.norm(expected)


def test_the_run_of_the_notebook(digits):
    (X, y), _ = digits
    arrays = start()
    accuracy, (w1, b1, w2, b2) = notebook(X, y, arrays, 25)
    fitted = model(arrays, 25).fit(X, y)
    assert accuracy[-1] > accuracy[0] + 0.3
    assert np.max(np.abs(np.array(fitted.history_["accuracy"]) - accuracy)) <= 1 / 1000
    found = [*fitted.coefs_, *fitted.intercepts_]
    for ours, theirs in zip(found, [w1, w2, b1, b2], strict=True):
        assert distance(ours, theirs) < 1e-4


def test_the_reference_run_on_mnist(mnist):
    path = Path(os.environ["GRADUS_DATA"]) / "reference/notebook.npz"
    if not path.is_file():
        pytest.skip("GRADUS_DATA has no reference/notebook.npz")
    (X, y), _ = mnist
    reference = np.load(path)
    arrays = [reference[f"init_{name}"] for name in ("w1", "b1", "w2", "b2")]
    fitted = model(arrays, 5, nesterovs_momentum=False).fit(X, y)
    images = 60000 * (np.array(fitted.history_["accuracy"]) - reference["accuracy"][:5])
    assert np.max(np.abs(images)) < 1.5


def test_the_first_step_begins_at_the_arrays(table):
    X, y = table
    random = np.random.default_rng(1)
    shapes = [(5, 4), (1, 4), (4, 3), (3,), (3, 2), (2, 1)]
    arrays = tuple(random.normal(size=shape) for shape in shapes)
    targets = np.stack([y, -y], axis=1)
    settings = dict(init=arrays, learning_rate_init=1e-30, max_iter=1)
    fitted = MLPRegressor(hidden_layer_sizes=(4, 3), **settings).fit(X, targets)
    found = [it for pair in zip(fitted.coefs_, fitted.intercepts_, strict=True) for it in pair]
    for ours, given in zip(found, arrays, strict=True):
        assert np.array_equal(ours.ravel(), given.astype(np.float32).ravel())
    lists = MLPRegressor(hidden_layer_sizes=(4, 3), **{**settings, "init": [it.tolist() for it in arrays]})
    assert np.array_equal(lists.fit(X, targets).coefs_[0], fitted.coefs_[0])


def test_going_on_keeps_its_own_weights(digits):
    (X, y), _ = digits
    whole = model(start(), 4).fit(X, y)
    warm = model(start(), 2, warm_start=True).fit(X, y).fit(X, y)
    assert np.array_equal(warm.coefs_[0], whole.coefs_[0])
    parts = model(start(), 1)
    for _ in range(4):
        parts.partial_fit(X, y, classes=range(10))
    assert np.array_equal(parts.coefs_[0], whole.coefs_[0])
    # One run's arrays begin another one.
    half = model(start(), 2).fit(X, y)
    pairs = zip(half.coefs_, half.intercepts_, strict=True)
    second = model([it for pair in pairs for it in pair], 2).fit(X, y)
    assert distance(second.coefs_[0], whole.coefs_[0]) < 1e-6


def test_full_batch_penalty_is_by_all_samples(table):
    X, y = table
    settings = dict(solver="sgd", max_iter=3, random_state=0, alpha=30.0)
    full = MLPClassifier((20,), batch_size="full", **settings).fit(X, y)
    same = MLPClassifier((20,), batch_size=300, **settings).fit(X, y)
    np.testing.assert_allclose(full.coefs_[0], same.coefs_[0], rtol=1e-4, atol=1e-6)


def test_arrays_are_a_parameter_like_others(digits, tmp_path):
    (X, y), _ = digits
    arrays = start()
    estimator = model(arrays, 1)
    assert estimator.get_params()["init"] is arrays
    copied = clone(estimator)
    assert copied.init is not arrays
    assert all(np.array_equal(a, b) for a, b in zip(copied.init, arrays, strict=True))
    assert np.array_equal(copied.fit(X, y).coefs_[0], estimator.fit(X, y).coefs_[0])
    assert len(cross_val_score(estimator, X.reshape(2000, 784), y, cv=2)) == 2
    shown = repr(estimator)
    assert "init=[<array of shape (784, 128)>, <array of shape (128, 1)>, " in shown
    assert len(shown) < 400
    assert len(repr(model([it.tolist() for it in arrays], 1))) < 2000
    estimator.save(tmp_path / "model.safetensors")
    again = MLPClassifier.load(tmp_path / "model.safetensors")
    assert again.init == "sklearn"
    assert again.get_params() == {**estimator.get_params(), "init": "sklearn"}
    assert np.array_equal(again.predict(X), estimator.predict(X))


def wrong(at, array):
    arrays = start()
    arrays[at] = array
    return arrays


@pytest.mark.parametrize(
    "init, message",
    [
        (start()[:3], "init has 3 arrays, but the layers 784-128-10 need 4: w1, b1, w2, b2, ..."),
        (5, "init is 5, but must be a string, or a sequence of arrays"),
        (wrong(0, start()[0].T), "w1 of init has shape (128, 784), but must be (784, 128), inputs x "
                                 "outputs; it is transposed"),
        (wrong(2, np.zeros((64, 10))), "w2 of init has shape (64, 10), but must be (128, 10)"),
        (wrong(1, np.zeros((2, 64))), "b1 of init has shape (2, 64), but must be (128,), (128, 1) or"),
        (wrong(3, np.zeros(9)), "b2 of init has shape (9,), but must be (10,)"),
        (wrong(3, np.full(10, np.nan)), "b2 of init has a value that is not finite in single precision"),
        (wrong(0, np.full((784, 128), 1e300)), "w1 of init has a value that is not finite in single precision"),
        (wrong(0, [[1.0, 2.0], [3.0]]), "w1 of init has rows of different lengths"),
        (wrong(1, np.array(["0"] * 128)), "b1 of init has values of type <U1"),
    ],
)  # fmt: skip
def test_wrong_arrays_are_named(init, message, digits):
    (X, y), _ = digits
    with pytest.raises(ValueError) as caught:
        model(init, 1).fit(X, y)
    assert message in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_the_same_steps_as_scikit_learns(table):
    """From the same arrays, all samples in every step: the same losses."""
    X, y = table
    settings = dict(hidden_layer_sizes=(16,), alpha=0.0, learning_rate_init=0.01)
    drawn = neural_network.MLPRegressor(**{**settings, "learning_rate_init": 1e-30}, max_iter=1)
    drawn.set_params(random_state=0, batch_size=len(X)).fit(X, y)
    arrays = [it for pair in zip(drawn.coefs_, drawn.intercepts_, strict=True) for it in pair]
    settings.update(max_iter=80, tol=0.0)
    theirs = neural_network.MLPRegressor(**settings, random_state=0, batch_size=len(X)).fit(X, y)
    ours = MLPRegressor(**settings, init=arrays, batch_size="full").fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-3)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-2)
