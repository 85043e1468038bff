"""The solver lbfgs, scikit-learn's learning-rate rules, and shuffle."""

import pickle
import warnings

import numpy as np
import pytest

import gradus
from gradus import MLPClassifier, MLPRegressor


def noisy(samples=120, features=4, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, features))
    y = (X[:, 0] * X[:, 1] + 0.5 * X[:, 2] + 0.3 * rng.normal(size=samples) > 0).astype(int)
    return X, y


def lbfgs(**more):
    return MLPClassifier(
        **{"hidden_layer_sizes": (8,), "solver": "lbfgs", "alpha": 0.1, "random_state": 1, **more}
    )


def test_it_converges_and_says_so(capsys):
    X, y = noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = lbfgs(max_iter=1000, verbose=True).fit(X, y)
    out = capsys.readouterr().out
    assert out.startswith("Iteration 1, loss = ") and f"converged after {model.n_iter_} iterations" in out
    assert model.outcome_ == "no_progress" and 10 < model.n_iter_ < 1000
    assert len(model.loss_curve_) == model.n_iter_ and model.loss_ == model.loss_curve_[-1]
    assert model.score(X, y) > 0.95 and model.validation_scores_ is None and model.best_loss_ is not None
    # Again from where it has converged: nothing is left to do.
    model.set_params(warm_start=True)
    before, took = model.predict_proba(X), model.n_iter_
    assert model.fit(X, y).n_iter_ < took / 3 and np.allclose(model.predict_proba(X), before, atol=0.01)


def test_its_limits_are_warned_of():
    X, y = noisy()
    with pytest.warns(UserWarning, match=r"12 epochs \(max_iter\)"):
        assert lbfgs(max_iter=12).fit(X, y).n_iter_ == 12
    with pytest.warns(UserWarning, match=r"\(max_fun\).*Use a larger max_fun"):
        assert lbfgs(max_fun=12).fit(X, y).n_iter_ <= 12


def test_bits_and_pickles():
    X, y = noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [lbfgs(max_iter=20, n_jobs=jobs, batch_size=7, shuffle=False).fit(X, y) for jobs in (1, 2, 5)]
    for model in models[1:]:
        assert np.array_equal(model.coefs_[0], models[0].coefs_[0])
    again = pickle.loads(pickle.dumps(models[0]))
    assert np.array_equal(again.predict_proba(X), models[0].predict_proba(X))


def test_what_scikit_learn_ignores_is_ignored_and_the_rest_is_refused():
    X, y = noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = lbfgs(max_iter=9).fit(X, y)
        more = dict(learning_rate="adaptive", learning_rate_init=5.0, momentum=0.5, beta_1=0.1, early_stopping=True)
        assert np.array_equal(lbfgs(max_iter=9, **more).fit(X, y).coefs_[0], plain.coefs_[0])
    for name, value in [("dropout", 0.1), ("l1", 0.1), ("batch_norm", True), ("schedule", "cosine"), ("mixup", 0.2)]:
        with pytest.raises(ValueError, match=f"{name} cannot be used with solver lbfgs"):
            lbfgs(**{name: value}).fit(X, y)
    with pytest.raises(ValueError, match="max_fun is 0"):
        lbfgs(max_fun=0).fit(X, y)
    with pytest.raises(ValueError, match="tol is -1"):
        lbfgs(tol=-1.0).fit(X, y)


def test_it_has_no_partial_fit():
    assert not hasattr(lbfgs(), "partial_fit") and not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPClassifier(), "partial_fit") and "sample_weight" in str(MLPClassifier.partial_fit.__doc__)


def test_the_penalty_is_that_of_scikit_learn():
    neural_network = pytest.importorskip("sklearn.neural_network")
    X, y = noisy(60)
    target = X[:, 0] - 2 * X[:, 1] + 0.1 * y
    weights = np.linspace(0.5, 2.0, 60)
    # Linear and convex: there is one minimum.
    settings = dict(hidden_layer_sizes=(1,), activation="identity", solver="lbfgs", alpha=20.0, tol=1e-6, max_iter=500)
    for sample_weight in (None, weights):
        theirs = neural_network.MLPRegressor(random_state=0, **settings).fit(X, target, sample_weight)
        ours = MLPRegressor(random_state=0, **settings).fit(X, target, sample_weight)
        assert np.allclose(ours.predict(X), theirs.predict(X), atol=2e-3)
        assert abs(ours.loss_ - theirs.loss_) > 0.01  # theirs has the penalty in it


def test_rules_for_the_learning_rate():
    X, y = noisy(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sgd = dict(hidden_layer_sizes=(3,), solver="sgd", learning_rate_init=0.1, random_state=0)
        scaled = MLPClassifier(learning_rate="invscaling", power_t=0.25, max_iter=3, **sgd).fit(X, y)
        expected = [0.1, 0.1 / 41**0.25, 0.1 / 81**0.25]
        assert np.allclose(scaled.history_["learning_rate"], expected, rtol=1e-6)
        assert scaled._optimizer.learning_rate == 0.1 / 121**0.25
        scaled.partial_fit(X, y)
        assert np.isclose(scaled.history_["learning_rate"][3], 0.1 / 121**0.25, rtol=1e-6)
        adaptive = MLPClassifier(learning_rate="adaptive", tol=10.0, n_iter_no_change=2, max_iter=500, **sgd).fit(X, y)
        # Eight divisions and the end, each after three epochs; the first epoch is always progress.
        assert adaptive.outcome_ == "no_progress" and adaptive.n_iter_ == 1 + 9 * 3
        rates = adaptive.history_["learning_rate"]
        assert rates[0] == 0.1 and min(rates) < 1e-6 and adaptive._optimizer.learning_rate < 1e-6
        with_scores = MLPClassifier(
            learning_rate="adaptive", early_stopping=True, tol=1.0, n_iter_no_change=2, max_iter=500, **sgd
        ).fit(X, y)
        assert with_scores.outcome_ == "no_progress" and min(with_scores.history_["learning_rate"]) < 1e-6
        partial = MLPClassifier(learning_rate="adaptive", tol=10.0, n_iter_no_change=2, **sgd)
        for _ in range(8):
            partial.partial_fit(X, y, classes=[0, 1])
        assert np.allclose(partial.history_["learning_rate"], rates[:8], rtol=1e-6)
        # Only sgd has them.
        adam = MLPClassifier((3,), random_state=0, max_iter=2)
        other = MLPClassifier((3,), random_state=0, max_iter=2, learning_rate="invscaling", schedule="constant")
        assert np.array_equal(adam.fit(X, y).coefs_[0], other.fit(X, y).coefs_[0])
    with pytest.raises(ValueError, match="leave one out"):
        MLPClassifier(solver="sgd", learning_rate="adaptive", schedule="cosine").fit(X, y)
    with pytest.raises(ValueError, match="learning_rate is 'fast'"):
        MLPClassifier(learning_rate="fast").fit(X, y)
    with pytest.raises(ValueError, match="power_t is -1"):
        MLPClassifier(solver="sgd", learning_rate="invscaling", power_t=-1).fit(X, y)


def test_without_shuffling_the_seed_decides_only_the_weights():
    X, y = noisy(50)
    init = [np.full((4, 3), 0.1), np.zeros(3), np.eye(3, 2), np.zeros(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def weights(seed, shuffle):
            model = MLPClassifier((3,), init=init, batch_size=5, max_iter=2, random_state=seed, shuffle=shuffle)
            return model.fit(X, y).coefs_[0]

        assert np.array_equal(weights(1, False), weights(2, False))
        assert not np.array_equal(weights(1, True), weights(2, True))
    with pytest.raises(ValueError, match="shuffle is 'no'"):
        gradus.MLPRegressor(shuffle="no").fit(X, y)
