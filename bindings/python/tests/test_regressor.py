"""The regressor: beside scikit-learn's, several values, weights, going on, files, searches."""

import copy
import pickle

import numpy as np
import pandas
import pytest
from sklearn import neural_network
from sklearn.base import clone, is_regressor
from sklearn.datasets import make_friedman1
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gradus import MLPClassifier, MLPRegressor, datasets


def model(**parameters):
    return MLPRegressor(hidden_layer_sizes=(32,), **{"random_state": 0, "max_iter": 6, **parameters})


@pytest.fixture(scope="module")
def friedman():
    """Ten features, five of which matter; 1,200 samples to train on and 400 others."""
    X, y = make_friedman1(1600, noise=0.5, random_state=0)
    X = 2 * X - 1
    return (X[:1200], y[:1200]), (X[1200:], y[1200:])


@pytest.fixture(scope="module")
def several(friedman):
    """Three values a sample."""
    (X, y), _ = friedman
    return X, np.stack([y / 10, X[:, 0] - X[:, 1], np.sin(3 * X[:, 2])], axis=1)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_as_good_as_scikit_learns(friedman):
    (X, y), (test_x, test_y) = friedman
    settings = dict(learning_rate_init=0.01, max_iter=150, alpha=1.0, random_state=0)
    ours = MLPRegressor(hidden_layer_sizes=(64,), **settings).fit(X, y).score(test_x, test_y)
    other = neural_network.MLPRegressor(hidden_layer_sizes=(64,), **settings)
    theirs = other.fit(X, y).score(test_x, test_y)
    assert theirs > 0.85
    assert ours > theirs - 0.03


def test_early_stopping_watches_r2(several):
    X, y = several
    fitted = model(max_iter=100, early_stopping=True, n_iter_no_change=3, tol=0.01).fit(X, y)
    scores = fitted.validation_scores_
    assert fitted.outcome_ == "no_progress" and fitted.n_iter_ == len(scores) < 100
    assert fitted.best_loss_ is None and fitted.best_validation_score_ == max(scores)
    assert scores[fitted.best_epoch_] > max(scores) - 0.01
    assert fitted._no_improvement_count == 4
    by_loss = model(max_iter=100, early_stopping=True, n_iter_no_change=3, monitor="val_loss").fit(X, y)
    losses = by_loss.validation_loss_curve_
    assert losses[by_loss.best_epoch_] < min(losses) + 1e-4


def test_figures_of_a_run(several):
    X, y = several
    fitted = model(activation="tanh").fit(X, y, validation_data=(X[:90], y[:90]))
    assert fitted.n_iter_ == len(fitted.loss_curve_) == len(fitted.validation_loss_curve_) == 6
    assert set(fitted.history_) == {"loss", "val_loss", "val_r2", "learning_rate", "seconds"}
    assert fitted.validation_scores_[-1] == pytest.approx(fitted.score(X[:90], y[:90]), rel=1e-5)
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    assert (fitted.n_layers_, fitted.n_outputs_, fitted.out_activation_) == (3, 3, "identity")
    # The forward pass by hand, and the loss.
    hidden = np.tanh(X.astype(np.float32) @ fitted.coefs_[0] + fitted.intercepts_[0])
    expected = hidden @ fitted.coefs_[1] + fitted.intercepts_[1]
    predicted = fitted.predict(X)
    assert (predicted.shape, predicted.dtype) == (y.shape, np.float64)
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
    loss = np.mean((predicted[:90] - y[:90]) ** 2) / 2
    assert fitted.validation_loss_curve_[-1] == pytest.approx(loss, rel=1e-5)
    assert fitted.score(X, y) == pytest.approx(r2_score(y, predicted), rel=1e-9)
    weights = np.arange(len(y)) % 3
    expected = r2_score(y, predicted, sample_weight=weights)
    assert fitted.score(X, y, weights) == pytest.approx(expected, rel=1e-9)


def test_one_value_is_a_vector(friedman):
    (X, y), _ = friedman
    vector = model().fit(X, y)
    assert vector.predict(X).shape == (1200,)
    assert vector.n_outputs_ == 1
    with pytest.warns(UserWarning, match="column-vector y"):
        column = model().fit(X, y[:, None])
    assert np.array_equal(column.predict(X), vector.predict(X))


def test_scores_at_their_edges(friedman):
    (X, y), _ = friedman
    fitted = model().fit(X, y)
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(fitted.score(X[:1], y[:1]))
    assert fitted.score(X[:5], np.full(5, 3.0)) == 0.0
    assert fitted.score(X[[2, 2]], fitted.predict(X[[2, 2]])) == 1.0


def test_single_rows_are_the_same_bits(several, digits):
    X, y = several
    images, labels = digits[0]
    for samples, values in [(X.astype(np.float32), y), (images.reshape(2000, 784), labels * 0.1)]:
        fitted = model(max_iter=1).fit(samples, values)
        expected = fitted.predict(samples[:30])
        rows = [fitted.predict(samples[at : at + 1]) for at in range(30)]
        assert rows[0].shape == expected[:1].shape and rows[0].dtype == expected.dtype
        assert np.array_equal(np.concatenate(rows), expected)


def test_weights_of_samples(friedman):
    (X, y), _ = friedman
    doubtful = np.arange(1200) % 2 == 1
    wrong = np.where(doubtful, 100.0, y)
    settings = dict(learning_rate_init=0.01, max_iter=60)
    weighted = model(**settings).fit(X, wrong, sample_weight=np.where(doubtful, 0.0, 1.0))
    plain = model(**settings).fit(X, wrong)
    assert weighted.score(X[~doubtful], y[~doubtful]) > 0.7 > plain.score(X[~doubtful], y[~doubtful])


def test_early_stopping_comes_back_to_the_least_loss(friedman):
    (X, y), (test_x, test_y) = friedman
    settings = dict(early_stopping=True, learning_rate_init=0.05, n_iter_no_change=4, tol=0.0)
    fitted = model(max_iter=400, **settings).fit(X[:100], y[:100], validation_data=(test_x, test_y))
    assert fitted.outcome_ == "no_progress"
    assert fitted.best_epoch_ == int(np.argmin(fitted.validation_loss_curve_))
    loss = np.mean((fitted.predict(test_x) - test_y) ** 2) / 2
    assert loss == pytest.approx(min(fitted.validation_loss_curve_), rel=1e-5)
    apart = model(early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert apart.t_ == apart.n_iter_ * 900
    with pytest.raises(ValueError, match="monitor is val_accuracy, but regression has no accuracy"):
        model(monitor="val_accuracy", early_stopping=True).fit(X, y)


def test_partial_fit_gives_the_bits_of_fit(several):
    X, y = several
    whole = model(max_iter=4, dropout=0.1).fit(X, y)
    parts = model(dropout=0.1)
    for _ in range(4):
        parts.partial_fit(X, y)
    assert np.array_equal(parts.coefs_[0], whole.coefs_[0])
    assert parts.loss_curve_ == whole.loss_curve_
    with pytest.raises(ValueError, match=r"y has 1 target\(s\) for each sample, but MLPRegressor was"):
        parts.partial_fit(X, y[:, 0])
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        model(early_stopping=True).partial_fit(X, y)


def test_warm_start_goes_on(several):
    X, y = several
    warm = model(max_iter=3, warm_start=True).fit(X, y).fit(X, y)
    assert np.array_equal(warm.coefs_[0], model(max_iter=6).fit(X, y).coefs_[0])
    assert warm.n_iter_ == 3


def test_everything_that_regularises_is_taken(digits):
    (X, y), _ = digits
    y = y / 10
    plain = model(normalization="unit").fit(X, y)
    for name, value in [
        ("dropout", 0.1), ("noise", 0.1), ("input_noise", 0.1), ("batch_norm", True), ("mixup", 0.2),
        ("l1", 1e-4), ("max_norm", 0.5), ("clip_norm", 0.1), ("ema_decay", 0.9), ("solver", "muon"),
        ("distort", "shift:2,rotate:5"), ("alpha", 1.0), ("activation", "gelu"),
    ]:  # fmt: skip
        other = model(normalization="unit", **{name: value}).fit(X, y)
        assert not np.array_equal(other.coefs_[0], plain.coefs_[0]), name
        assert other.loss_ < other.loss_curve_[0], name


def test_saved_and_loaded(several, tmp_path):
    X, y = several
    path = tmp_path / "model.safetensors"
    frame = pandas.DataFrame(y, columns=["size", "way", "wave"])
    fitted = model(normalization="standard").fit(X, frame, validation_data=(X, frame))
    fitted.save(path)
    again = MLPRegressor.load(path)
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert again.get_params() == fitted.get_params()
    for name in ("history_", "n_iter_", "n_outputs_", "out_activation_", "t_"):
        assert getattr(again, name) == getattr(fitted, name), name
    assert again._model.names == ["size", "way", "wave"]
    assert again.partial_fit(X, y).n_iter_ == 7
    with pytest.raises(ValueError, match="a regression model, but MLPClassifier loads"):
        MLPClassifier.load(path)
    MLPClassifier((4,), max_iter=1).fit(X, np.arange(1200) % 2).save(path)
    with pytest.raises(ValueError, match="a classification model, but MLPRegressor loads"):
        MLPRegressor.load(path)


@pytest.mark.parametrize("copied", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy])
def test_copies_predict_and_learn_the_same(copied, several):
    X, y = several
    fitted = model(max_iter=2).fit(X, y)
    other = copied(fitted)
    assert np.array_equal(fitted.predict(X), other.predict(X))
    assert np.array_equal(fitted.partial_fit(X, y).predict(X), other.partial_fit(X, y).predict(X))


def test_in_a_pipeline_and_searched(friedman):
    (X, y), _ = friedman
    assert is_regressor(clone(model()))
    tool = make_pipeline(StandardScaler(), model(max_iter=40, learning_rate_init=0.01))
    assert cross_val_score(tool, X, y, cv=3).mean() > 0.7
    grid = {"mlpregressor__alpha": [0.0, 1.0], "mlpregressor__solver": ["adam", "muon"]}
    search = GridSearchCV(tool, grid, cv=2, n_jobs=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.score(X, y) > 0.7


def test_wrong_values_are_named(several):
    X, y = several
    with_nan = y.copy()
    with_nan[3, 1] = np.nan
    for values, message in [
        (y[:-1], "y has 1199 rows, but X has 1200 samples"),
        (y[:-1, 0], "y has 1199 entries"),
        (with_nan, "Input y contains NaN"),
        (np.full(1200, 1e39), "y has a value too large for single precision"),
        (np.array(["a", "b"] * 600), "a regressor needs real numbers"),
        (y[:, :0], "y has no column"),
        (y.reshape(1200, 3, 1), "y should be a 1d array"),
        (None, "requires y to be passed"),
    ]:
        with pytest.raises(ValueError, match=message):
            model().fit(X, values)
    with pytest.raises(ValueError, match=r"y of validation_data has 1 target\(s\) for each sample"):
        model().fit(X, y, validation_data=(X, y[:, 0]))
    with pytest.raises(ValueError, match="learning_rate_init"):
        model(solver="sgd", learning_rate_init=1e30).fit(X, y)


def test_a_table_of_values(tmp_path):
    lines = ["rooms,garden,price,rent"]
    lines += [f"{at % 7},{at % 3},{at % 7 + 2 * (at % 3)},{at % 7 / 2}" for at in range(60)]
    (tmp_path / "houses.csv").write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="no test part"):
        train, test = datasets.load(tmp_path / "houses.csv", label_column="price,rent", values=True)
    assert [it.shape for it in (*train, *test)] == [(48, 2), (48, 2), (12, 2), (12, 2)]
    assert train[1].dtype == np.float32
    fitted = model(max_iter=300, learning_rate_init=0.01, init="auto").fit(*train)
    assert fitted.score(*test) > 0.95
    with pytest.warns(UserWarning, match="no test part"):
        (_, prices), _ = datasets.load(tmp_path / "houses.csv", label_column="price", values=True)
    assert prices.shape == (48,)
