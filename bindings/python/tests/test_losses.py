"""Losses of the regressor, and several labels for a sample."""

import pickle

import numpy as np
import pytest

from gradus import MLPClassifier, MLPRegressor

SETTINGS = {"max_iter": 30, "random_state": 0, "n_iter_no_change": None}
LOSSES = ["squared_error", "poisson", "huber", "huber:0.5", "absolute_error", "quantile:0.1,0.5,0.9"]


def counts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    return X, rng.poisson(np.exp(0.5 * X[:, 0] + 0.5)).astype(float)


def labelled():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 5))
    Y = (X[:, :3] + 0.3 * rng.normal(size=(300, 3)) > 0.4).astype(int)
    return X, Y


@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_is_trained_with_saved_and_exported(loss, tmp_path):
    X, y = counts()
    model = MLPRegressor(loss, (16,), **SETTINGS).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    predicted = model.predict(X)
    quantiles = 3 if loss.startswith("quantile") else 1
    assert predicted.shape == ((300, 3) if quantiles == 3 else (300,))
    assert model.n_outputs_ == quantiles
    assert model.out_activation_ == ("exp" if loss == "poisson" else "identity")
    model.save(tmp_path / "model.safetensors")
    loaded = MLPRegressor.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict(X), predicted) and loaded.loss == loss
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
    assert not np.array_equal(again.predict(X), predicted)
    ort = pytest.importorskip("onnxruntime")
    found = ort.InferenceSession(model.to_onnx()).run(None, {"input": X})[0]
    assert np.allclose(found.reshape(predicted.shape), predicted, rtol=1e-5, atol=1e-5)


def test_poisson_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neural_network")
    metrics = pytest.importorskip("sklearn.metrics")
    X, y = counts()
    settings = {"hidden_layer_sizes": (16,), "max_iter": 60, "random_state": 0, "n_iter_no_change": 1000, "tol": 0.0}
    ours = MLPRegressor("poisson", **settings).fit(X, y)
    with pytest.warns(match="Maximum iterations"):
        theirs = sklearn.MLPRegressor("poisson", **settings).fit(X, y)
    deviances = [metrics.mean_poisson_deviance(y, model.predict(X)) for model in (ours, theirs)]
    assert abs(deviances[0] - deviances[1]) < 0.05 * deviances[1]
    assert ours.predict(X).min() > 0


def test_quantiles_do_not_cross_and_the_score_is_that_of_the_median():
    X, y = counts()
    targets = np.c_[y, -y]
    model = MLPRegressor("quantile:0.1,0.5,0.9", (16,), **SETTINGS).fit(X, targets)
    predicted = model.predict(X).reshape(-1, 2, 3)
    assert np.all(np.diff(predicted, axis=2) >= 0)
    errors = ((targets - predicted[:, :, 1]) ** 2).mean(axis=0)
    assert model.score(X, targets) == pytest.approx(np.mean(1 - errors / targets.var(axis=0)))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ((5,), "first parameter"),
        ("mse", "must be 'squared_error'"),
        ("cross-entropy", "must be 'squared_error'"),
        ("quantile:0.9,0.1", "ascending"),
    ],
)
def test_wrong_losses_are_refused(loss, message):
    X, y = counts()
    with pytest.raises(ValueError, match=message):
        MLPRegressor(loss).fit(X, y)


def test_poisson_refuses_what_is_below_zero():
    X, y = counts()
    with pytest.raises(ValueError, match="at least 0"):
        MLPRegressor("poisson").fit(X, y - 5)
    with pytest.raises(ValueError, match="standardize_targets"):
        MLPRegressor("poisson", standardize_targets=True).fit(X, y)


def test_weights_of_targets_decide_which_is_learned():
    X, y = counts()
    targets = np.c_[y, np.random.default_rng(2).normal(size=300) * 10]
    errors = [
        np.mean((MLPRegressor(output_weights=weights, **SETTINGS).fit(X, targets).predict(X)[:, 0] - y) ** 2)
        for weights in ([1, 0], [0.001, 1])
    ]
    assert errors[0] < errors[1]


def test_an_indicator_matrix_has_a_probability_for_each_label(tmp_path):
    X, Y = labelled()
    model = MLPClassifier((20,), learning_rate_init=0.01, max_iter=100, random_state=0, n_iter_no_change=None).fit(X, Y)
    assert model.out_activation_ == "logistic" and model.n_outputs_ == 3 and model.classes_.tolist() == [0, 1, 2]
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert predicted.shape == probabilities.shape == Y.shape
    assert np.array_equal(predicted, probabilities > 0.5)
    assert model.score(X, Y) == np.mean(np.all(predicted == Y, axis=1)) > 0.7
    # scikit-learn's loss: the sum over the labels.
    losses = -np.log(np.where(Y == 1, probabilities, 1 - probabilities)).sum(axis=1)
    assert model.loss_ == pytest.approx(losses.mean(), rel=0.05)
    model.save(tmp_path / "model.safetensors")
    loaded = MLPClassifier.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict_proba(X), probabilities) and loaded.out_activation_ == "logistic"
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), predicted)
    ort = pytest.importorskip("onnxruntime")
    labels, found = ort.InferenceSession(model.to_onnx()).run(None, {"input": X.astype(np.float32)})
    assert np.allclose(found, probabilities, atol=1e-6) and np.array_equal(labels, predicted)


def test_sparse_labels_and_partial_fit_give_the_same_bits():
    sparse = pytest.importorskip("scipy.sparse")
    X, Y = labelled()
    dense = MLPClassifier((8,), max_iter=4, n_iter_no_change=None, random_state=0, n_jobs=1).fit(X, Y)
    other = MLPClassifier((8,), max_iter=4, n_iter_no_change=None, random_state=0, n_jobs=3)
    assert np.array_equal(other.fit(X, sparse.csr_array(Y)).predict_proba(X), dense.predict_proba(X))
    assert other.score(X, sparse.csr_array(Y)) == dense.score(X, Y)
    parts = MLPClassifier((8,), random_state=0)
    for _ in range(4):
        parts.partial_fit(X, Y)
    assert np.array_equal(parts.predict_proba(X), dense.predict_proba(X))
    with pytest.raises(ValueError, match="2 columns"):
        parts.partial_fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="0 and 1 only"):
        parts.partial_fit(X, 2 * Y)


def test_what_is_for_classes_is_refused_for_labels():
    X, Y = labelled()
    for settings in ({"class_weight": "balanced"}, {"label_smoothing": 0.1}):
        with pytest.raises(ValueError, match="several labels"):
            MLPClassifier(**settings).fit(X, Y)
    with pytest.raises(ValueError, match="multi-label"):
        MLPClassifier(max_iter=2).fit(X, Y).plot_confusion(X, Y)


def test_estimators_around_it():
    pytest.importorskip("sklearn")
    from sklearn.model_selection import cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

    X, Y = labelled()
    base = MLPClassifier((8,), learning_rate_init=0.01, max_iter=60, random_state=0, n_iter_no_change=None)
    for around in (ClassifierChain(base), OneVsRestClassifier(base), MultiOutputClassifier(base)):
        assert np.mean(around.fit(X, Y).predict(X) == Y) > 0.8
    assert cross_val_predict(base, X, Y, method="predict_proba", cv=3).shape == Y.shape


def test_models_of_scikit_learn_for_labels_are_taken_over():
    sklearn = pytest.importorskip("sklearn.neural_network")
    from gradus import from_sklearn, to_sklearn

    X, Y = labelled()
    with pytest.warns(match="Maximum iterations"):
        theirs = sklearn.MLPClassifier((8,), max_iter=5, random_state=0).fit(X, Y)
    ours = from_sklearn(theirs)
    assert np.allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    back = to_sklearn(ours)
    assert np.allclose(back.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    assert back.partial_fit(X, Y).predict(X).shape == Y.shape
