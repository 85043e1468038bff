"""scikit-learn's habits: raw tables, default parameters, warnings where nothing is learned, and failed runs."""

import os
import warnings

import numpy as np
import pytest
from sklearn import datasets as tables
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier as Theirs

from gradus import MLPClassifier, MLPRegressor


def warned(function):
    """Return the warnings of a call."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function()
    return found


def messages(function):
    return [str(it.message) for it in warned(function)]


@pytest.mark.filterwarnings("ignore")
def test_raw_iris_is_learned_as_by_scikit_learn():
    X, y = tables.load_iris(return_X_y=True)
    seeds = range(5)
    ours = [MLPClassifier(random_state=seed).fit(X, y).score(X, y) for seed in seeds]
    theirs = [Theirs(random_state=seed).fit(X, y).score(X, y) for seed in seeds]
    assert min(ours) > min(theirs) - 0.05, (ours, theirs)
    assert cross_val_score(MLPClassifier(random_state=0), X, y, cv=5).mean() > 0.9


@pytest.mark.parametrize(("activation", "factor"), [("relu", 6), ("tanh", 6), ("logistic", 2)])
def test_the_start_has_scikit_learns_bounds(activation, factor):
    X, y = np.zeros((4, 30)), [0, 1, 2, 3]
    model = MLPClassifier(
        (50, 40), activation, learning_rate_init=1e-30, max_iter=1, random_state=0, n_iter_no_change=None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    for weight, bias in zip(model.coefs_, model.intercepts_, strict=True):
        bound = np.sqrt(factor / sum(weight.shape))
        for values in (weight, bias):
            assert np.abs(values).max() <= bound * 1.0001
        assert np.abs(weight).max() > 0.9 * bound
        assert np.abs(bias).max() > 0.3 * bound


def test_the_end_of_max_iter_is_told_as_scikit_learn_does(table):
    X, y = table
    found = warned(lambda: MLPClassifier((5,), max_iter=2, random_state=0).fit(X, y))
    assert any(issubclass(it.category, ConvergenceWarning) and "max_iter" in str(it.message) for it in found)
    # The place that is named is the caller's.
    assert {it.filename for it in found} == {__file__}
    for model in (
        MLPClassifier((5,), max_iter=2, random_state=0, n_iter_no_change=None, learning_rate_init=0.1),
        MLPClassifier((20,), max_iter=2000, random_state=0, learning_rate_init=0.05),
    ):
        assert not any("max_iter" in it for it in messages(lambda model=model: model.fit(X, y)))
    model = MLPClassifier((5,), max_iter=2, random_state=0)
    assert messages(lambda: model.partial_fit(X, y, classes=[0, 1, 2])) == []


def test_without_scikit_learn_the_warning_is_gradus_own(monkeypatch, table):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn", None)
    from gradus._errors import ConvergenceWarning as Own

    found = warned(lambda: MLPClassifier((5,), max_iter=2, random_state=0).fit(*table))
    assert any(it.category is Own for it in found) and issubclass(Own, UserWarning)


def test_nothing_learned_is_told(table):
    X, y = table
    reported = messages(lambda: MLPClassifier((5,), learning_rate_init=1e-9, max_iter=3, random_state=0).fit(X, y))
    assert any("no better than guessing" in it and "max_iter" in it for it in reported), reported
    garbage = MLPClassifier((5,), solver="adam", learning_rate_init=1e6, max_iter=3, random_state=0)
    reported = messages(lambda: garbage.fit(X, y))
    assert any("learning_rate_init, such as 0.001" in it for it in reported), reported
    good = MLPClassifier((20,), max_iter=2000, random_state=0, learning_rate_init=0.02)
    assert messages(lambda: good.fit(X, y)) == []


def test_features_on_very_different_scales_are_told():
    X, y = tables.load_wine(return_X_y=True)
    raw = messages(lambda: MLPClassifier(random_state=0, max_iter=5).fit(X, y))
    assert any("scale" in it and "normalization" in it for it in raw), raw
    scaled = MLPClassifier(random_state=0, max_iter=5, normalization="standard")
    assert not any("scale" in it for it in messages(lambda: scaled.fit(X, y)))
    for other in (tables.load_iris, tables.load_digits):
        A, b = other(return_X_y=True)
        assert not any("scale" in it for it in messages(lambda A=A, b=b: MLPClassifier(max_iter=20).fit(A, b)))


@pytest.mark.parametrize("scale", [1.0, 1e6, 1e-6])
def test_targets_of_any_scale(scale):
    X, y = tables.load_diabetes(return_X_y=True)
    y = y * scale
    settings = dict(random_state=0, learning_rate_init=0.01, max_iter=60, normalization="standard")
    model = MLPRegressor(hidden_layer_sizes=(32,), standardize_targets=True, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert model.score(X, y) > 0.5
    np.testing.assert_allclose(
        2 * model.history_["loss"][-1], np.mean((model.predict(X) - y) ** 2), rtol=0.2
    )
    # As scikit-learn means it, the default leaves y alone; where that is hopeless, a warning says so.
    if scale == 1e6:
        reported = messages(lambda: MLPRegressor(hidden_layer_sizes=(32,), **settings).fit(X, y))
        assert any("standardize_targets" in it for it in reported), reported


def test_standardised_targets_from_call_to_call(tmp_path):
    X, y = tables.load_diabetes(return_X_y=True)
    settings = dict(standardize_targets=True, random_state=0, batch_size=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, n_iter_no_change=None, **settings).fit(X, y)
    parts = MLPRegressor(hidden_layer_sizes=(8,), **settings)
    for _ in range(3):
        parts.partial_fit(X, y)
    assert np.array_equal(whole.predict(X), parts.predict(X))
    whole.save(tmp_path / "model.safetensors")
    again = MLPRegressor.load(tmp_path / "model.safetensors")
    assert again.standardize_targets is True
    assert np.array_equal(again.predict(X), whole.predict(X))
    with pytest.raises(ValueError, match="standardize_targets is 1"):
        MLPRegressor(standardize_targets=1).fit(X, y)


@pytest.mark.parametrize("way", ["fit", "warm", "partial"])
def test_a_run_that_diverges_leaves_the_estimator(table, way):
    X, y = table
    model = MLPClassifier((20,), max_iter=30, random_state=0, learning_rate_init=0.01, solver="sgd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    before, state = model.predict_proba(X), dict(model.__dict__)
    model.set_params(learning_rate_init=1e30, warm_start=way == "warm")
    with pytest.raises(ValueError, match="as it was before the call") as caught:
        model.partial_fit(X, y) if way == "partial" else model.fit(X, y)
    assert np.array_equal(model.predict_proba(X), before)
    for name in ("n_iter_", "loss_curve_", "outcome_", "history_"):
        assert getattr(model, name) == state[name]
    # Also where some epochs went well before.
    model.set_params(learning_rate_init=30.0, normalization="none", max_iter=500, n_iter_no_change=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(X * 1000, y)
        except ValueError:
            assert np.array_equal(model.predict_proba(X), before)
    # What the message names can work.
    rate = float(str(caught.value).split("such as ")[1].split(",")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = MLPClassifier((20,), max_iter=60, random_state=0, learning_rate_init=rate, solver="sgd")
        assert again.fit(X, y).score(X, y) > 0.8


def test_an_interruption_in_the_first_epoch_leaves_a_trained_estimator(table):
    X, y = table

    def interrupt(report):
        raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier((20,), max_iter=30, random_state=0).fit(X, y)
    before = model.n_iter_
    # The first epoch is complete here: the model is that of one epoch.
    model.set_params(callbacks=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == 1 != before


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="joblib counts cores in other ways")
def test_negative_numbers_of_threads_count_from_the_cores(table):
    from gradus import _settings

    cores = len(os.sched_getaffinity(0))
    for n_jobs in (-1, -2, -cores, -cores - 5):
        assert _settings.threads(n_jobs) == max(1, cores + 1 + n_jobs)
    assert _settings.threads(np.int64(2)) == 2 and _settings.threads(None) is None
    for wrong in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="n_jobs is"):
            _settings.threads(wrong)
    MLPClassifier((5,), max_iter=2, n_jobs=-2, n_iter_no_change=None).fit(*table)
