"""What X and y may be: every kind gives the same model and the same predictions."""

import datetime
import warnings

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse

from gradus import MLPClassifier, MLPRegressor


def fit(X, y, **parameters):
    settings = {"max_iter": 5, "random_state": 0, **parameters}
    return MLPClassifier((20,), **settings).fit(X, y)


FORMS = {
    "float64": lambda X: X,
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "float32": lambda X: X.astype(np.float32),
    "Fortran float32": lambda X: np.asfortranarray(X.astype(np.float32)),
    "objects": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pandas.DataFrame(X),
    "polars": lambda X: polars.DataFrame(X),
    "CSR": scipy.sparse.csr_matrix,
    "CSC array": scipy.sparse.csc_array,
    "COO array": scipy.sparse.coo_array,
    "memory map": None,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_every_form_is_the_same(form, table, tmp_path):
    X, y = table
    X = X.astype(np.float32).astype(np.float64)
    reference = fit(X, y)
    if form == "memory map":
        np.save(tmp_path / "x.npy", X)
        other = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        other = FORMS[form](X)
    expected = reference.predict_proba(X)
    # Sparse rows add in another order; results of float32 are float32.
    tolerance = 1e-5 if scipy.sparse.issparse(other) else 1e-6 if "float32" in form else 0
    np.testing.assert_allclose(reference.predict_proba(other), expected, tolerance, tolerance)
    assert np.array_equal(fit(other, y).coefs_[0], reference.coefs_[0])


def test_results_have_the_precision_of_the_samples(table):
    X, y = table
    X = X.astype(np.float32)
    columns = {f"f{at}": X[:, at] for at in range(X.shape[1])}
    single = [X, scipy.sparse.csr_matrix(X), pandas.DataFrame(columns), polars.DataFrame(columns)]
    double = [X.astype(np.float64), X.astype(np.float16), X.tolist(), (10 * X).astype(np.int64)]
    double += [pandas.DataFrame(columns).astype({"f0": np.float64}), (X > 0), scipy.sparse.csr_matrix(X > 0)]
    for kind, forms in ((np.float32, single), (np.float64, double)):
        for form in forms:
            fitted = fit(form, y)
            assert all(array.dtype == kind for array in fitted.coefs_ + fitted.intercepts_), type(form)
            probabilities = fitted.predict_proba(form)
            assert probabilities.dtype == kind and fitted.predict_log_proba(form).dtype == kind
            sums = 1e-6 if kind == np.float32 else 1e-15
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=sums)
            regressor = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(form, y)
            assert regressor.predict(form).dtype == kind


def test_images_are_bytes_in_any_shape(digits):
    (X, y), (test, labels) = digits
    settings = dict(normalization="unit", max_iter=10, learning_rate_init=0.01)
    model = fit(X, y, **settings)
    assert model.score(test, labels) > 0.85
    flat = fit(X.reshape(2000, 784), y, **settings)
    assert np.array_equal(flat.coefs_[0], model.coefs_[0])
    sparse = scipy.sparse.csr_array(X.reshape(2000, 784))
    assert sparse.dtype == np.uint8
    by_sparse = fit(sparse, y, **settings)
    assert np.array_equal(by_sparse.coefs_[0], model.coefs_[0])
    backwards = np.ascontiguousarray(test[::-1])[::-1]
    assert np.array_equal(model.predict(backwards), model.predict(test))
    # As numbers they take another way, with other roundings.
    floats = test.astype(np.float64)
    np.testing.assert_allclose(
        model.predict_proba(floats), model.predict_proba(test), rtol=1e-3, atol=1e-6
    )
    assert np.array_equal(model.predict(floats), model.predict(test))


def test_truth_values_are_bytes(table):
    X, y = table
    X = X > 1
    assert np.array_equal(fit(X, y).coefs_[0], fit(X.view(np.uint8), y).coefs_[0])


def test_predictions_do_not_depend_on_the_batch(digits, table, fitted):
    (X, y), (test, _) = digits
    for model, samples in [(fit(X, y, normalization="unit"), test), (fitted, table[0])]:
        for values in (samples, samples.reshape(len(samples), -1).astype(np.float32)):
            whole = model.predict_proba(values)
            order = np.random.RandomState(0).permutation(len(values))
            assert np.array_equal(model.predict_proba(values[order]), whole[order])
            assert np.array_equal(model.predict_proba(values[:7]), whole[:7])
            one = np.concatenate([model.predict(values[at : at + 1]) for at in range(40)])
            assert np.array_equal(one, model.predict(values[:40]))


def words(samples=300, features=20000, seed=0):
    """Rows of few counts, some of which tell the class, as texts have them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    X = scipy.sparse.random(samples, features, 0.002, format="lil", rng=rng, dtype=np.float64)
    for sample, label in enumerate(y):
        X[sample, 100 * label + rng.integers(0, 5, 8)] = 2.5
    return X.tocsr(), y


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_sparse_matrices_stay_sparse(estimator, monkeypatch):
    X, y = words()
    settings = dict(hidden_layer_sizes=(16,), max_iter=8, random_state=0, batch_size=50)
    dense = X.toarray()
    expected = estimator(**settings).fit(dense, y)
    test, labels = words(seed=1)
    dense_test = test.toarray()
    monkeypatch.setattr(type(X), "toarray", None)
    model = estimator(**settings).fit(X, y)
    # The same sums but for their order.
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-3)
    found = model.predict(X)
    assert np.allclose(found, model.predict(dense), atol=1e-4)
    assert model.score(X, y) > 0.9
    # Also the rows of one sample, and validation by sparse or dense rows.
    assert np.allclose([model.predict(X[at : at + 1])[0] for at in range(5)], found[:5], atol=1e-6)
    curves = [
        estimator(**settings).fit(X, y, validation_data=(rows, labels)).validation_loss_curve_
        for rows in (test, dense_test)
    ]
    np.testing.assert_allclose(*curves, rtol=1e-4)
    # A matrix in no order, with sums to make; it stays as it is.
    coo = X.tocoo()
    order = np.random.default_rng(1).permutation(coo.nnz)
    halves = np.concatenate([coo.data[order] / 2, coo.data / 2])
    places = [np.concatenate([part[order], part]) for part in coo.coords]
    twice = scipy.sparse.coo_array((halves, places), X.shape)
    assert np.allclose(model.predict(twice), found, atol=1e-6)
    assert twice.nnz == 2 * X.nnz
    loose = scipy.sparse.csr_array((X.data[::-1], X.indices[::-1], X.nnz - X.indptr[::-1]))
    indices = loose.indices.copy()
    assert np.allclose(model.predict(loose[:, :]), model.predict(X[::-1]), atol=1e-6)
    assert np.array_equal(loose.indices, indices)


def test_what_a_sparse_matrix_must_not_hold_is_told(table, fitted):
    X, y = table
    sparse = scipy.sparse.csr_array(X * (X > 1))
    sparse[7, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in row 7, column 1"):
        MLPClassifier().fit(sparse, y)
    sparse[7, 1] = 1e300
    with pytest.raises(ValueError, match="too large for single precision in row 7, column 1"):
        fitted.predict(sparse)
    with pytest.raises(ValueError, match="omplex"):
        MLPClassifier().fit(sparse * 1j, y)
    with pytest.raises(ValueError, match="features"):
        fitted.predict(sparse[:, :2])
    with pytest.raises(ValueError, match="0 sample"):
        fitted.predict(sparse[:0])


LABELS = {
    "strings": np.array(["left", "right", "up"]),
    "objects": np.array(["a", "b", "c"], dtype=object),
    "negative": np.array([-3, 0, 900]),
    "far apart": np.array([-(10**9), 5, 10**9]),
    "bytes": np.array([0, 1, 255], dtype=np.uint8),
    "int8": np.array([-128, 0, 127], dtype=np.int8),
    "very large": np.array([2**64 - 3, 2**64 - 2, 2**64 - 1], dtype=np.uint64),
    "whole floats": np.array([1.0, 2.0, 5.0]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind(kind, table, fitted, tmp_path):
    X, y = table
    labels = LABELS[kind][y]
    settings = {"max_iter": 30, "learning_rate_init": 0.01}
    model = fit(X, labels, **settings)
    assert np.array_equal(model.classes_, LABELS[kind])
    assert model.classes_.dtype == LABELS[kind].dtype
    predicted = model.predict(X)
    assert np.array_equal(predicted, LABELS[kind][fitted.predict(X)])
    assert model.score(X, labels) == fitted.score(X, y)
    model.save(tmp_path / "model.safetensors")
    again = MLPClassifier.load(tmp_path / "model.safetensors")
    assert again.classes_.dtype == model.classes_.dtype
    assert np.array_equal(again.predict(X), predicted)


def test_truth_values_as_labels(table):
    X, y = table
    model = fit(X, y == 1, max_iter=30, learning_rate_init=0.01)
    assert model.classes_.dtype == bool
    assert model.predict(X).dtype == bool
    assert model.score(X, y == 1) > 0.9
    assert model.n_outputs_ == 2


def test_pandas_and_polars_labels(table, fitted):
    X, y = table
    names = np.array(["a", "b", "c"])[y]
    for labels in (pandas.Series(names), pandas.Series(names, dtype="category")):
        trained = fit(X, labels, max_iter=30, learning_rate_init=0.01)
        assert trained.score(X, labels) > 0.6
    assert fit(X, polars.Series(names)).classes_.tolist() == ["a", "b", "c"]


def test_feature_names(table):
    X, y = table
    frame = pandas.DataFrame(X, columns=list("abcde"))
    model = fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(frame)
        model.predict(polars.DataFrame(frame.to_dict("list")))
    with pytest.warns(UserWarning, match="was fitted with feature names"):
        model.predict(X)
    # In another order, and with other columns beside them.
    reordered = frame[list("edcba")]
    assert np.array_equal(model.predict_proba(reordered), model.predict_proba(frame))
    more = reordered.assign(x="text", y=1)
    with pytest.warns(UserWarning, match="not trained on, which are ignored: .'x', 'y'") as warned:
        assert np.array_equal(model.predict(more), model.predict(frame))
    assert len(warned) == 1
    assert np.array_equal(fit(frame, y, max_iter=1).partial_fit(reordered, y).coefs_[0],
                          fit(frame, y, max_iter=1).partial_fit(frame, y).coefs_[0])
    twice = pandas.concat([frame, frame[["a"]]], axis=1)
    with pytest.raises(ValueError, match="several columns named 'a'"):
        model.predict(twice)
    with pytest.raises(ValueError, match="unknown: .'z'.*missing: .'a'"):
        model.predict(frame.rename(columns={"a": "z"}))
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    with pytest.warns(UserWarning, match="fitted without feature names"):
        model.predict(frame)
    mixed = frame.rename(columns={"a": 1})
    with pytest.raises(TypeError, match="named by int, str"):
        fit(mixed, y)


FRAMES = {
    "pandas": lambda columns: pandas.DataFrame(columns),
    "Polars": lambda columns: polars.DataFrame(columns),
    "lazy Polars": lambda columns: polars.LazyFrame(columns),
    "PyArrow table": lambda columns: pyarrow.table(columns),
    "PyArrow batch": lambda columns: pyarrow.record_batch(columns),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_are_matched_by_name(kind, table, tmp_path):
    X, y = table
    frame = FRAMES[kind]
    columns = {name: X[:, at] for at, name in enumerate("abcde")}
    model = fit(frame(columns), y)
    assert model.feature_names_in_.tolist() == list("abcde")
    expected = fit(X, y).predict_proba(X)
    backwards = frame(dict(reversed(columns.items())))
    assert np.array_equal(model.predict_proba(backwards), expected)
    with pytest.warns(UserWarning, match="ignored: .'z'"):
        assert np.array_equal(model.predict_proba(frame({"z": ["text"] * len(X), **columns})), expected)
    with pytest.raises(ValueError, match="missing: .'c'"):
        model.predict(frame({name: columns[name] for name in "abde"}))
    curves = [
        MLPClassifier((20,), max_iter=3, random_state=0)
        .fit(frame(columns), y, validation_data=(other, y))
        .validation_loss_curve_
        for other in (frame(columns), backwards)
    ]
    assert curves[0] == curves[1]
    # The names are part of the model file.
    model.save(tmp_path / "model.safetensors")
    again = MLPClassifier.load(tmp_path / "model.safetensors")
    assert again.feature_names_in_.tolist() == list("abcde")
    assert np.array_equal(again.predict_proba(backwards), expected)


def test_what_is_no_number_is_named_with_its_column(table):
    X, y = table
    day = pandas.Timestamp("2024-05-01")
    for column, message in [
        (["ape"] * 300, r"'ape', which is not a number, in row 0, column 1 \('b'\)"),
        ([1.0, None] * 150, r"X has NaN.* in row 1, column 1 \('b'\)"),
        (pandas.array([1, None] * 150, dtype="Int64"), r"X has NaN .* in row 1, column 1 \('b'\)"),
        ([day] * 300, r"X has dates in column 1 \('b'\)"),
        (["01067"] * 300, r"'01067', which begins with 0 .*column 1 \('b'\)"),
        (pandas.Categorical(["x", "y"] * 150), r"'x', which is not a number, in row 0, column 1"),
    ]:
        frame = pandas.DataFrame({"a": X[:, 0], "b": column})
        with pytest.raises(ValueError, match=message):
            fit(frame, y)
        model = fit(pandas.DataFrame({"a": X[:, 0], "b": X[:, 1]}), y, max_iter=1)
        with pytest.raises(ValueError, match=message):
            model.predict(frame)
    dates = {"a": X[:, 0], "b": [datetime.date(2024, 5, 1)] * 300}
    for frame in (pandas.DataFrame({"b": [day] * 300}), polars.DataFrame(dates), pyarrow.table(dates)):
        with pytest.raises(ValueError, match=r"X has dates in column . \('b'\)"):
            fit(frame, y)
    with pytest.raises(ValueError, match="a date"):
        fit(np.array([["2024-05-01"]] * 300, dtype="datetime64[D]"), y)
    # Numbers as text are numbers.
    assert fit(np.array([["1.5", "0"], ["2", "0.5"]]), [0, 1]).n_features_in_ == 2


def test_labels_that_are_probably_wrong(table):
    X, y = table
    with pytest.warns(RuntimeWarning, match="y has one class only"):
        fit(X, np.zeros(300, dtype=int), max_iter=1)
    with pytest.warns(UserWarning, match="300 classes for 300 samples.*MLPRegressor"):
        fit(X, np.arange(300) * 1000, max_iter=1)
    for gap in (None, np.nan, pandas.NA):
        labels = np.array(["a", "b", gap] * 100, dtype=object)
        with pytest.raises(ValueError, match="Input y contains NaN .a missing label. in row 2"):
            fit(X, labels)
    assert fit(X, np.array(["01", "1", "001"])[y], max_iter=1).classes_.tolist() == ["001", "01", "1"]


def test_values_far_from_0_keep_their_digits(tmp_path):
    draw = np.random.default_rng(0)
    y = np.arange(400) % 2
    near = 60.0 * y[:, None] + draw.integers(0, 30, (400, 1))
    settings = dict(normalization="standard", max_iter=60, learning_rate_init=0.01)
    for offset in (1.7e9, -1e12):
        for X in (near + offset, (near + offset).astype(np.int64), pandas.DataFrame({"t": near[:, 0] + offset})):
            model = fit(X, y, **settings)
            assert model.score(X, y) > 0.99
            assert model.predict(X[:1])[0] == y[0]
            model.save(tmp_path / "model.safetensors")
            again = MLPClassifier.load(tmp_path / "model.safetensors")
            assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    with_validation = MLPClassifier((20,), random_state=0, **settings).fit(
        near + 1.7e9, y, validation_data=(near + 1.7e9, y)
    )
    assert with_validation.validation_scores_[-1] > 0.99
    two = np.array([[0.0], [1.0]] * 200) + 1e9
    assert fit(two, y, **settings).score(two, y) == 1.0
    values = MLPRegressor(hidden_layer_sizes=(20,), random_state=0, **settings).fit(near + 1.7e9, near[:, 0] / 60.0)
    assert values.score(near + 1.7e9, near[:, 0] / 60.0) > 0.9
    # Ordinary doubles are trained on as floats, bit for bit.
    X = draw.normal(size=(400, 3)) * [1.0, 1000.0, 1e-3] + [0.0, 5000.0, 0.0]
    single = fit(X.astype(np.float32), y, **settings)
    assert np.array_equal(fit(X, y, **settings).coefs_[0], single.coefs_[0])


def test_wrong_inputs_are_named(table, fitted):
    X, y = table
    for bad, message in [
        (X[0], "Reshape your data"),
        (X[:, :3], "X has 3 features, but MLPClassifier is expecting 5"),
        (X[:0], r"0 sample\(s\)"),
        (X * 1j, "Complex data not supported"),
        (np.where(X == X[3, 1], np.nan, X), "X has NaN in row 3, column 1"),
        (np.where(X == X[299, 4], 1e300, X), "infinity, or a value too large.* in row 299, column 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.predict(bad)
    with pytest.raises(ValueError, match="X has NaN in row 0"):
        fitted.predict(np.full((1, 5), np.nan, dtype=np.float32))
    for labels, message in [
        (y[:-1], "y has 299 entries, but X has 300 samples"),
        (np.stack([y, y], axis=1), "y should be a 1d array"),
        (y + 0.5, "Unknown label type: continuous"),
        (np.where(y == 1, np.nan, y), "Input y contains NaN"),
        (np.array([1, "a", 2] * 100, dtype=object), "cannot be sorted"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(X, labels)
    for weights, message in [
        (np.ones(7), r"sample_weight has shape \(7,\)"),
        (-np.ones(300), "the weight of sample 0 is -1"),
        (np.zeros(300), "every sample_weight is zero"),
    ]:
        with pytest.raises(ValueError, match=message):
            MLPClassifier(max_iter=1).fit(X, y, sample_weight=weights)
