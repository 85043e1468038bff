"""What predictions depend on: importances, partial dependence and contributions, against what they are defined by."""

import pickle

import numpy as np
import pandas
import pytest
from sklearn.inspection import permutation_importance
from test_tabular import QUICK, people

from gradus import MLPRegressor, TabularClassifier, TabularRegressor


@pytest.fixture(scope="module")
def table():
    return people()


@pytest.fixture(scope="module")
def classifier(table):
    return TabularClassifier(**QUICK).fit(table[0], table[1])


@pytest.fixture(scope="module")
def regressor(table):
    return TabularRegressor(**QUICK).fit(table[0], table[2])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_importances_are_those_of_scikit_learn(task, table, request):
    model = request.getfixturevalue("classifier" if task == "classification" else "regressor")
    frame, y = table[0], table[1 if task == "classification" else 2]
    found = model.importances(frame, y, n_repeats=20)
    theirs = permutation_importance(model, frame, y, n_repeats=20, random_state=0)
    assert found.names == list(frame) and found.importances.shape == (5, 20) and found.samples == 400
    # Other shuffles: means differ by chance.
    tolerance = 4 * (found.importances_std + theirs.importances_std) / np.sqrt(20) + 1e-3
    assert (np.abs(found.importances_mean - theirs.importances_mean) <= tolerance).all()
    key = "accuracy" if task == "classification" else "r2"
    np.testing.assert_allclose(found.scores[key], model.score(frame, y), rtol=1e-5)
    assert found.names[int(np.argmax(found.importances_mean))] == "age"
    assert found.plot().svg.startswith("<svg") and found.plot(by_loss=False).svg != found.plot().svg
    assert "age: " in repr(found)
    same = model.importances(frame, y, n_repeats=20)
    assert np.array_equal(found.importances, same.importances)
    with pytest.raises(ValueError, match="n_repeats is 0"):
        model.importances(frame, y, n_repeats=0)


def test_feature_importances_are_computed_when_asked_for(table, classifier):
    model = TabularClassifier(**QUICK).fit(table[0], table[1])
    found = model.feature_importances_
    assert found.shape == (5,) and np.argmax(found) == 0
    assert np.array_equal(found, model.feature_importances_)
    # Of a fifth of the samples, that were held out.
    again = pickle.loads(pickle.dumps(classifier))
    assert not hasattr(again, "feature_importances_")
    with pytest.raises(AttributeError, match="use importances"):
        _ = again.feature_importances_
    assert not hasattr(TabularRegressor(), "feature_importances_")


def test_partial_dependence_is_the_mean_prediction(table, regressor, classifier):
    frame = table[0].iloc[:100]
    found = regressor.partial_dependence(frame, "age", n_points=5)
    assert len(found.values) == 5 and found.means.shape == (5, 1) and found.samples == 100
    expected = [regressor.predict(frame.assign(age=value)).mean() for value in found.values]
    np.testing.assert_allclose(found.means[:, 0], expected, rtol=1e-5)
    found = classifier.partial_dependence(frame, "job", output="much")
    assert None in found.values and "pilot" in found.values
    for value, means in zip(found.values, found.means, strict=True):
        np.testing.assert_allclose(means, classifier.predict_proba(frame.assign(job=value)).mean(axis=0), rtol=1e-4)
    assert found.plot().svg.startswith("<svg")
    assert all(isinstance(value, str) for value in classifier.partial_dependence(frame, "since").values)
    with pytest.raises(ValueError, match="column is 'shoe', but must be one of 'age'"):
        regressor.partial_dependence(frame, "shoe")
    with pytest.raises(ValueError, match="output is 'most'"):
        classifier.partial_dependence(frame, "age", output="most")


def test_contributions_sum_to_the_prediction(table, regressor, classifier):
    frame = table[0]
    for model in (regressor, classifier):
        row = frame.iloc[3].to_dict()
        found = model.explain(row)
        assert set(found.contributions) == set(frame)
        sizes = sum(map(abs, found.contributions.values()))
        assert abs(found.neutral + sum(found.contributions.values()) - found.prediction) <= 2e-3 * sizes + 1e-4
        assert found.plot().svg.startswith("<svg") and "Explanation of" in repr(found)
        assert model.explain(frame.iloc[3:4]).contributions == found.contributions
        with pytest.raises(ValueError, match="row has 2 rows"):
            model.explain(frame.iloc[:2])
    np.testing.assert_allclose(regressor.explain(frame.iloc[:1]).prediction, regressor.predict(frame.iloc[:1])[0], rtol=1e-5)
    one = classifier.explain(frame.iloc[:1])
    assert one.output == classifier.predict(frame.iloc[:1])[0]
    other = classifier.explain(frame.iloc[:1], output="little")
    np.testing.assert_allclose(other.prediction, classifier.predict_proba(frame.iloc[:1])[0, 0], rtol=1e-4)


def test_plain_numbers_are_explained_too():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3))
    y = X[:, 0] + 0.1 * X[:, 1]
    model = MLPRegressor(hidden_layer_sizes=(16,), max_iter=60, learning_rate_init=0.01, random_state=0).fit(X, y)
    assert np.argmax(model.importances(X, y).importances_mean) == 0
    found = model.explain(X[0])
    assert list(found.contributions)[0] == 0 and set(found.contributions) == {0, 1, 2}
    assert model.partial_dependence(X, 0).means[-1, 0] > model.partial_dependence(X, 0).means[0, 0]
    frame = pandas.DataFrame(X, columns=list("abc"))
    named = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0, n_iter_no_change=None).fit(frame, y)
    assert named.importances(frame, y).names == ["a", "b", "c"]
