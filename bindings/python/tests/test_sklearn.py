"""scikit-learn's own checks, and its tools around the estimators."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import gradus
from gradus import MLPClassifier, MLPRegressor

# Checks that scikit-learn's own SGDClassifier and SGDRegressor are expected to fail, for their reason.
EXPECTED = {
    name: "sample_weight is not equivalent to removing or repeating samples: mini-batches differ"
    for name in (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    )
}


def _checks(estimator):
    with warnings.catch_warnings():
        # That it does not inherit from BaseEstimator: scikit-learn is no dependency.
        warnings.simplefilter("ignore", UserWarning)
        return list(
            estimator_checks_generator(
                estimator, expected_failed_checks=EXPECTED, mark="xfail"
            )
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator, check",
    _checks(MLPClassifier(max_iter=100)) + _checks(MLPRegressor(max_iter=100)),
    ids=lambda value: getattr(getattr(value, "func", value), "__name__", type(value).__name__),
)
def test_scikit_learns_check(estimator, check):
    check(estimator)


def test_no_more_checks_are_expected_to_fail_than_for_sgd():
    from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_XFAIL_CHECKS
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    for theirs in (SGDClassifier, SGDRegressor):
        assert set(EXPECTED) <= set(PER_ESTIMATOR_XFAIL_CHECKS[theirs])


def test_in_a_pipeline_and_searched(table):
    X, y = table
    model = MLPClassifier((20,), max_iter=30, random_state=0, learning_rate_init=0.01)
    model = make_pipeline(StandardScaler(), model)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9
    grid = {"mlpclassifier__solver": ["adam", "muon"], "mlpclassifier__dropout": [0.0, 0.2]}
    search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.score(X, y) > 0.9


def test_calibrated(table):
    X, y = table
    model = MLPClassifier((20,), max_iter=30, random_state=0, learning_rate_init=0.01)
    model = CalibratedClassifierCV(model, cv=2)
    probabilities = model.fit(X, y, sample_weight=np.ones(len(y))).predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert model.score(X, y) > 0.9


def _by_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, path: pickle.loads(pickle.dumps(model)),
        lambda model, path: copy.deepcopy(model),
        lambda model, path: copy.copy(model),
        _by_joblib,
    ],
    ids=["pickle", "deepcopy", "copy", "joblib"],
)
def test_copies_predict_and_learn_the_same(copied, table, tmp_path):
    X, y = table
    model = MLPClassifier((20,), max_iter=5, random_state=3).fit(X, y)
    other = copied(model, tmp_path / "model.joblib")
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert other.get_params() == model.get_params()
    # The solver's state came along.
    model, other = model.partial_fit(X, y), other.partial_fit(X, y)
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert other.n_iter_ == 6


def test_a_clone_has_the_parameters_alone(fitted):
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    assert not hasattr(other, "classes_") and not hasattr(other, "coefs_")
    assert is_classifier(other)


def test_not_fitted_is_both_classes(table):
    X, _ = table
    with pytest.raises(NotFittedError, match="call fit") as caught:
        MLPClassifier().predict(X)
    assert isinstance(caught.value, gradus.NotFittedError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, NotFittedError)


def test_shown_with_what_is_changed():
    assert repr(MLPClassifier()) == "MLPClassifier()"
    shown = repr(MLPClassifier((3, 2), solver="lion", max_iter=7))
    assert shown == "MLPClassifier(hidden_layer_sizes=(3, 2), solver='lion', max_iter=7)"
