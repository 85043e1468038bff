"""Models of scikit-learn as gradus's, and back; weights that are replaced."""

import pickle

import numpy as np
import pytest

import gradus

neural_network = pytest.importorskip("sklearn.neural_network")
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


def classes(count):
    X, y = load_iris(return_X_y=True)
    return X[y < count], np.array(["one", "two", "three"])[y[y < count]]


def values():
    X, y = load_diabetes(return_X_y=True)
    return 10 * X, np.stack([y / 100, -y / 50], axis=1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("count", [2, 3])
def test_classifiers_of_scikit_learn(activation, count, tmp_path):
    X, y = classes(count)
    theirs = neural_network.MLPClassifier((7, 5), activation=activation, max_iter=30, random_state=0).fit(X, y)
    ours = gradus.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5, atol=1e-6)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert (ours.n_iter_, ours.t_, ours.loss_curve_) == (30, theirs.t_, theirs.loss_curve_)
    assert ours.get_params()["activation"] == activation
    ours.save(tmp_path / "m.safetensors")
    loaded = gradus.MLPClassifier.load(tmp_path / "m.safetensors")
    assert np.array_equal(loaded.predict_proba(X), ours.predict_proba(X))
    back = gradus.to_sklearn(ours)
    np.testing.assert_allclose(back.predict_proba(X), theirs.predict_proba(X), rtol=1e-5, atol=1e-6)
    assert np.array_equal(back.predict(X), theirs.predict(X))
    # Both can be trained further.
    before = back.predict_proba(X)
    back.partial_fit(X, y)
    ours.partial_fit(X, y)
    assert np.abs(back.predict_proba(X) - before).max() > 1e-6
    # One step of Adam, from the same weights and with other batches: they stay close.
    np.testing.assert_allclose(back.predict_proba(X), ours.predict_proba(X), atol=0.05)


@pytest.mark.parametrize("outputs", [1, 2])
def test_regressors_of_scikit_learn(outputs):
    X, y = values()
    y = y[:, 0] if outputs == 1 else y
    theirs = neural_network.MLPRegressor(hidden_layer_sizes=(6,), max_iter=30, random_state=0).fit(X, y)
    ours = gradus.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-4)
    assert ours.predict(X).shape == y.shape
    np.testing.assert_allclose(gradus.to_sklearn(ours).predict(X), theirs.predict(X), rtol=1e-4, atol=1e-4)


def test_counts_of_scikit_learn():
    X, y = values()
    y = np.round(y[:, 0]) * 3
    theirs = neural_network.MLPRegressor("poisson", hidden_layer_sizes=(6,), max_iter=30, random_state=0).fit(X, y)
    ours = gradus.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)
    assert (ours.loss, ours.out_activation_) == ("poisson", "exp")
    back = gradus.to_sklearn(ours)
    np.testing.assert_allclose(back.predict(X), theirs.predict(X), rtol=1e-4)
    assert back.partial_fit(X, y).loss == "poisson"


def test_frames_and_early_stopping_of_scikit_learn():
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    theirs = neural_network.MLPClassifier((8,), early_stopping=True, max_iter=20, random_state=0).fit(X, y)
    ours = gradus.from_sklearn(theirs)
    assert ours.feature_names_in_.tolist() == X.columns.tolist()
    assert np.array_equal(ours.predict(X[X.columns[::-1]]), theirs.predict(X))
    assert ours.validation_scores_ == theirs.validation_scores_ and ours.best_loss_ is None
    assert ours.best_validation_score_ == theirs.best_validation_score_
    assert isinstance(pandas.DataFrame(ours.predict_proba(X)), pandas.DataFrame)


@pytest.mark.parametrize("normalization", ["none", "unit", "standard"])
def test_normalization_becomes_part_of_the_first_layer(normalization):
    X, y = classes(3)
    ours = gradus.MLPClassifier((9,), normalization=normalization, solver="adamw", max_iter=40, random_state=0).fit(X, y)
    theirs = gradus.to_sklearn(ours)
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-4, atol=1e-5)
    assert theirs.get_params()["solver"] == "adam"
    assert np.array_equal(pickle.loads(pickle.dumps(theirs)).predict(X), ours.predict(X))
    X, y = values()
    ours = gradus.MLPRegressor(hidden_layer_sizes=(9,), normalization=normalization, batch_size="full", max_iter=40, random_state=0).fit(X, y)
    np.testing.assert_allclose(gradus.to_sklearn(ours).predict(X), ours.predict(X), rtol=1e-4, atol=1e-4)


def test_what_the_other_does_not_have_is_refused():
    X, y = classes(3)
    with pytest.raises(ValueError, match="has no coefs_: expected a fitted MLPClassifier or MLPRegressor of scikit-learn"):
        gradus.from_sklearn(neural_network.MLPClassifier())
    with pytest.raises(gradus.NotFittedError):
        gradus.to_sklearn(gradus.MLPClassifier())
    robust = gradus.MLPClassifier((4,), normalization="robust", max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="the normalization is robust"):
        gradus.to_sklearn(robust)
    quantiles = gradus.MLPRegressor("quantile:0.1,0.9", hidden_layer_sizes=(4,), max_iter=2).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="several quantiles"):
        gradus.to_sklearn(quantiles)
    for activation in ("gelu", ("relu", "tanh")):
        ours = gradus.MLPClassifier((4, 4), activation=activation, max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match="scikit-learn has one for all of them: identity, logistic, tanh, relu"):
            gradus.to_sklearn(ours)


def test_weights_can_be_replaced():
    X, y = classes(3)
    fit = lambda seed: gradus.MLPClassifier((5,), max_iter=20, random_state=seed).fit(X, y)  # noqa: E731
    model, other = fit(0), fit(1)
    assert not np.array_equal(model.predict_proba(X), other.predict_proba(X))
    model.coefs_, model.intercepts_ = other.coefs_, other.intercepts_
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert np.array_equal(model.coefs_[1], other.coefs_[1]) and model.coefs_[0].dtype == np.float64
    # Training goes on from them.
    frozen = gradus.MLPClassifier((5,), max_iter=1, random_state=0, solver="sgd", learning_rate_init=1e-9, warm_start=True)
    frozen.fit(X, y)
    frozen.coefs_, frozen.intercepts_ = other.coefs_, other.intercepts_
    np.testing.assert_allclose(frozen.fit(X, y).coefs_[0], other.coefs_[0], atol=1e-6)
    np.testing.assert_allclose(frozen.partial_fit(X, y).coefs_[0], other.coefs_[0], atol=1e-6)
    for name, wrong, words in [
        ("coefs_", other.coefs_[:1], "coefs_ has 1 arrays, but the network has 2 layers"),
        ("coefs_", [it.T for it in other.coefs_], r"coefs_\[0\] has shape \(5, 4\), but must be \(4, 5\)"),
        ("intercepts_", [np.zeros(5), np.zeros(4)], r"intercepts_\[1\] has shape \(4,\), but must be \(3,\)"),
        ("intercepts_", [np.full(5, np.nan), np.zeros(3)], r"intercepts_\[0\] has a value that is not finite"),
    ]:
        with pytest.raises(ValueError, match=words):
            setattr(model, name, wrong)
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    with pytest.raises(AttributeError, match="has no coefs_ before it is trained"):
        gradus.MLPClassifier().coefs_ = other.coefs_
