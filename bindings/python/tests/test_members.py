"""Bags: members on folds, their mean, and the intervals that follow from them."""

import pickle

import numpy as np
import pytest

from gradus import MLPClassifier, MLPRegressor


def values(samples, seed):
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, (samples, 3))
    return X, 5 + 2 * X[:, 0] - X[:, 1] ** 2 + 0.3 * random.standard_normal(samples)


def test_intervals_hold_new_samples():
    X, y = values(500, 0)
    model = MLPRegressor(hidden_layer_sizes=(16,), members=4, max_iter=30, random_state=0).fit(X, y)
    new, truth = values(3000, 1)
    intervals = model.predict_interval(new, 0.9)
    assert intervals.shape == (3000, 2)
    share = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
    # Within five standard deviations of both draws.
    assert abs(share - 0.9) < 5 * np.sqrt(0.09 * (1 / 500 + 1 / 3000))
    np.testing.assert_allclose(intervals.mean(axis=1), model.predict(new), rtol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_interval(new, 0.9), intervals)
    with pytest.raises(ValueError, match="at least 999 samples"):
        model.predict_interval(new, 0.999)


def test_a_bag_has_no_weights_of_one_network():
    X, y = values(90, 2)
    model = MLPClassifier((8,), members=3, max_iter=5, random_state=0).fit(X, y > 5)
    assert model.predict_proba(X).shape == (90, 2)
    assert not hasattr(model, "coefs_")
    with pytest.raises(ValueError, match="no intervals"):
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, random_state=0).fit(X, y).predict_interval(X)
    with pytest.raises(ValueError, match="members"):
        MLPClassifier((8,), members=200).fit(X, y > 5)
    single = MLPClassifier((8,), max_iter=5, random_state=0).fit(X, y > 5)
    assert model.score(X, y > 5) > single.score(X, y > 5) - 0.1
