"""scikit-learn's metadata routing."""

import numpy as np
import pytest

from gradus import MLPClassifier, MLPRegressor

sklearn = pytest.importorskip("sklearn")
from sklearn import clone, linear_model  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_validate  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def small(**more):
    return MLPClassifier((4,), max_iter=5, random_state=0, **more)


def test_it_is_off_by_default():
    with pytest.raises(RuntimeError, match="only available when metadata routing is enabled"):
        small().set_fit_request(sample_weight=True)


def test_requests_are_kept_and_cloned(routing):
    model = small().set_fit_request(sample_weight=True).set_score_request(sample_weight="weights")
    for found in (model, clone(model)):
        requests = found.get_metadata_routing()
        assert requests.fit.requests == {"sample_weight": True, "validation_data": None, "communicator": None}
        assert requests.score.requests == {"sample_weight": "weights"}
        assert requests.partial_fit.requests == {"classes": None, "sample_weight": None}
    assert MLPRegressor().get_metadata_routing().partial_fit.requests == {"sample_weight": None}
    with pytest.raises(TypeError, match="Unexpected args: 'groups' in fit. Accepted arguments are: sample_weight"):
        model.set_fit_request(groups=True)


def test_weights_go_through_pipelines_and_searches(routing):
    X, y = load_iris(return_X_y=True)
    weights = np.where(y == 0, 0.0, 1.0)
    ours = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, ours).fit(X, y, sample_weight=weights)
    direct = small().fit(StandardScaler().fit_transform(X), y, sample_weight=weights)
    assert np.array_equal(pipeline.predict_proba(X), direct.predict_proba(StandardScaler().fit_transform(X)))
    search = GridSearchCV(ours, {"alpha": [1e-4, 1e-2]}, cv=2).fit(X, y, sample_weight=weights)
    assert np.isfinite(search.best_score_)
    found = cross_validate(ours, X, y, params={"sample_weight": weights}, cv=2)
    theirs = linear_model.LogisticRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    assert found.keys() == cross_validate(theirs, X, y, params={"sample_weight": weights}, cv=2).keys()
    # What is neither requested nor refused must not be lost.
    with pytest.raises(ValueError, match="sample_weight"):
        make_pipeline(scaler, small()).fit(X, y, sample_weight=weights)
