"""Arrays as people have them: names in NPZ files, kinds of labels, types and layouts, images from 0 to 1."""

import json
import subprocess

import numpy as np
import pytest
from test_files import program
from test_images import png

from gradus import MLPClassifier, MLPRegressor, datasets


@pytest.fixture(scope="module")
def patterns():
    """120 images of bars, dashes and slashes, 8 x 8 bytes, and their labels."""
    random = np.random.RandomState(0)
    rows, columns = np.mgrid[0:8, 0:8]
    inks = np.stack([(columns == 3) | (columns == 4), (rows == 3) | (rows == 4), rows == columns])
    labels = np.arange(120) % 3
    return (inks[labels] * random.randint(200, 256, (120, 8, 8))).astype(np.uint8), labels


def run(*arguments, folder):
    """Return what the program prints."""
    done = subprocess.run(
        [program(), *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "names",
    [
        "x_train y_train",
        "X_train y_train",
        "X y",
        "data target",
        "data labels",
        "images labels",
        "train_images train_labels",
        "features targets",
        "inputs outputs",
        "arr_0 arr_1",
        "arr_1 arr_0",
    ],
)
def test_names_in_npz_files(tmp_path, patterns, names, recwarn):
    X, y = patterns
    samples, labels = names.split()
    np.savez(tmp_path / "data.npz", **{samples: X, labels: y})
    (train_x, train_y), (test_x, test_y) = datasets.load(tmp_path / "data.npz")
    assert train_x.shape == (96, 8, 8) and test_x.shape == (24, 8, 8)
    assert np.array_equal(np.bincount(np.concatenate([train_y, test_y])), [40, 40, 40])
    reported = " ".join(str(warning.message) for warning in recwarn)
    assert ("by their shapes" in reported) == names.startswith("arr")


def test_ambiguous_arrays_are_listed(tmp_path, patterns):
    X, y = patterns
    np.savez(tmp_path / "data.npz", data=X, images=255 - X, target=y)
    with pytest.raises(ValueError, match=r"data and images could be the samples.*data \(120 x 8 x 8\)"):
        datasets.load(tmp_path / "data.npz")
    np.savez(tmp_path / "data.npz", w1=X, b1=y)
    with pytest.raises(ValueError, match=r"x_train and y_train.*b1 \(120\)"):
        datasets.load(tmp_path / "data.npz")


KINDS = {
    "int8": (lambda y: y.astype(np.int8), [0, 1, 2]),
    "floats": (lambda y: y.astype(np.float64), [0, 1, 2]),
    "a column": (lambda y: y[:, None], [0, 1, 2]),
    "one-hot": (lambda y: np.eye(3)[y], [0, 1, 2]),
    "one-hot truth values": (lambda y: np.eye(3, dtype=bool)[y], [0, 1, 2]),
    "text": (lambda y: np.array(["bar", "dash", "slash"])[y], ["bar", "dash", "slash"]),
    "bytes": (lambda y: np.array([b"bar", b"dash", b"slash"])[y], ["bar", "dash", "slash"]),
    "letters": (lambda y: np.array(["ä", "猫", "z"])[y], ["z", "ä", "猫"]),
    "truth values": (lambda y: y == 1, [0, 1]),
    "far apart": (lambda y: 500 * y, ["0", "500", "1000"]),
    "negative": (lambda y: y - 1, ["-1", "0", "1"]),
}


@pytest.mark.filterwarnings("ignore:.*(has no test part|one-hot)")
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_labels(tmp_path, patterns, kind):
    X, y = patterns
    convert, expected = KINDS[kind]
    np.savez(tmp_path / "data.npz", x_train=X, y_train=convert(y))
    (_, train_y), (_, test_y) = datasets.load(tmp_path / "data.npz")
    assert sorted(set(train_y)) == sorted(set(test_y)) == sorted(expected)


def test_one_hot_rows_are_values_in_regression(tmp_path, patterns):
    X, y = patterns
    np.savez(tmp_path / "data.npz", x_train=X, y_train=np.eye(3)[y])
    with pytest.warns(UserWarning, match="one-hot rows"):
        datasets.load(tmp_path / "data.npz")
    with pytest.warns(UserWarning, match="no test part"):
        (_, train_y), _ = datasets.load(tmp_path / "data.npz", values=True)
    assert train_y.shape == (96, 3)


def test_pickled_labels_are_never_loaded(tmp_path, patterns):
    X, y = patterns
    np.savez(tmp_path / "data.npz", x_train=X, y_train=y.astype(object))
    with pytest.raises(ValueError, match=r"array y_train.*pickles.*astype\(str\)"):
        datasets.load(tmp_path / "data.npz")
    np.savez(tmp_path / "data.npz", x_train=X, y_train=np.array(["a", "nan", "b"])[y])
    with pytest.raises(ValueError, match='label of sample 1: the label "nan" is a missing value'):
        datasets.load(tmp_path / "data.npz")


FORMS = {
    "bytes": lambda X: X,
    "float32": lambda X: (X / 255).astype(np.float32),
    "float64": lambda X: X / 255,
    "float16": lambda X: (X / 255).astype(np.float16),
    "a channel": lambda X: (X / 255)[..., None],
    "a channel first": lambda X: X[:, None],
    "rows": lambda X: (X / 255).reshape(len(X), -1),
    "rows of bytes": lambda X: X.reshape(len(X), -1),
    "colour": lambda X: np.repeat(X[..., None], 3, axis=-1),
    "colour first from 0 to 1": lambda X: np.repeat((X / 255)[:, None], 3, axis=1),
}


@pytest.mark.parametrize("form", FORMS)
def test_images_get_the_same_answer_in_every_form(tmp_path, patterns, form):
    X, y = patterns
    np.savez(tmp_path / "data.npz", x_train=FORMS[form](X), y_train=y)
    described, _ = run("data", "data.npz", "--json", folder=tmp_path)
    assert json.loads(described)["sample_shape"] == [8, 8]
    run("train", "--data", "data.npz", "--epochs", 20, "-q", folder=tmp_path)
    (tmp_path / "one.png").write_bytes(png(X[1]))
    for name, values in [("bytes.npy", X[1:3]), ("shares.npy", X[1:3] / 255), ("own.npy", FORMS[form](X[1:3]))]:
        np.save(tmp_path / name, values)
    np.savez(tmp_path / "samples.npz", X=X[1:3])

    def probabilities(name):
        lines, _ = run("predict", "model.safetensors", name, "--json", folder=tmp_path)
        return list(json.loads(lines.splitlines()[0])["probabilities"].values())

    expected = probabilities("own.npy")
    assert expected[1] > 0.9
    for name in ("bytes.npy", "shares.npy", "samples.npz", "one.png"):
        assert np.allclose(probabilities(name), expected, atol=2e-3), name


def test_rows_of_pixels_that_python_trained_on_are_images_to_the_program(tmp_path, patterns):
    X, y = patterns
    (tmp_path / "one.png").write_bytes(png(X[1]))
    for rows in (X.reshape(120, -1), X.reshape(120, -1) / 255):
        model = MLPClassifier((16,), learning_rate_init=0.01, max_iter=30, random_state=0).fit(rows, y)
        model.save(tmp_path / "model.safetensors")
        lines, _ = run("predict", "model.safetensors", "one.png", "--json", folder=tmp_path)
        expected = model.predict_proba(rows[1:2])[0]
        found = list(json.loads(lines)["probabilities"].values())
        assert np.allclose(found, expected, atol=1e-4)


def test_images_with_a_channel_are_images(tmp_path, patterns):
    X, y = patterns
    (tmp_path / "one.png").write_bytes(png(X[1]))
    for images in (X[..., None] / 255, X[:, None]):
        model = MLPClassifier((16,), learning_rate_init=0.01, max_iter=30, random_state=0).fit(images, y)
        assert "<svg" in model.plot_weights().svg
        model.save(tmp_path / "model.safetensors")
        lines, _ = run("predict", "model.safetensors", "one.png", "--json", folder=tmp_path)
        found = list(json.loads(lines)["probabilities"].values())
        assert np.allclose(found, model.predict_proba(images[1:2])[0], atol=1e-4)


def of_layout(kind, X, folder):
    """Return the same numbers in another type or layout."""
    if kind == "memory map":
        np.save(folder / "x.npy", X)
        return np.load(folder / "x.npy", mmap_mode="r")
    return {
        "lists": lambda: X.tolist(),
        "float64": lambda: X.astype(np.float64),
        "float16": lambda: X.astype(np.float16),
        "uint16": lambda: X.astype(np.uint16),
        "int64": lambda: X.astype(np.int64),
        "objects": lambda: X.astype(object),
        "big-endian": lambda: X.astype(">f4"),
        "every second": lambda: np.repeat(X, 2, axis=0)[::2],
        "backwards": lambda: X[::-1][::-1],
        "Fortran": lambda: np.asfortranarray(X),
        "nothing masked": lambda: np.ma.masked_array(X, mask=False),
        "read-only": lambda: np.lib.stride_tricks.as_strided(X, writeable=False),
    }[kind]()


@pytest.mark.parametrize(
    "kind",
    [
        "lists",
        "float64",
        "float16",
        "uint16",
        "int64",
        "objects",
        "big-endian",
        "every second",
        "backwards",
        "Fortran",
        "memory map",
        "nothing masked",
        "read-only",
    ],
)
def test_types_and_layouts_make_no_difference(tmp_path, kind):
    random = np.random.RandomState(3)
    X = random.randint(0, 9, (60, 4)).astype(np.float32)
    y = (X[:, 0] > X[:, 1]).astype(int)
    other = of_layout(kind, X, tmp_path)
    fit = lambda X: MLPClassifier((8,), max_iter=5, random_state=0).fit(X, y)  # noqa: E731
    expected, model = fit(X), fit(other)
    assert np.array_equal(model.coefs_[0], expected.coefs_[0])
    # Results for float32 are float32.
    assert np.allclose(model.predict_proba(other), expected.predict_proba(X), rtol=1e-6, atol=0)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
def test_sparse_matrices_of_all_forms(form):
    sparse = pytest.importorskip("scipy.sparse")
    random = np.random.RandomState(3)
    X = random.randint(0, 3, (60, 6)) * (random.rand(60, 6) < 0.4)
    y = X[:, 0] > 0
    fit = lambda X: MLPClassifier((8,), max_iter=5, random_state=0).fit(X, y)  # noqa: E731
    for dtype in (np.float32, np.float64, np.int64):
        expected = fit(X.astype(np.float32)).predict_proba(X.astype(np.float32))
        matrix = sparse.csr_matrix(X.astype(dtype)).asformat(form)
        assert np.allclose(fit(matrix).predict_proba(matrix), expected, atol=1e-5)


def test_masked_values_are_refused_by_their_place(table):
    X, y = table
    mask = np.zeros(X.shape, dtype=bool)
    mask[7, 2] = True
    masked = np.ma.masked_array(X, mask=mask)
    model = MLPClassifier((4,), max_iter=2, n_iter_no_change=None).fit(X, y)
    for refuse in (
        lambda: model.fit(masked, y),
        lambda: model.predict(masked),
        lambda: model.predict(list(masked)),
        lambda: model.fit(X, np.ma.masked_array(y, mask=mask[:, 2])),
        lambda: model.fit(X, y, sample_weight=np.ma.masked_array(y + 1.0, mask=mask[:, 2])),
        lambda: MLPRegressor(hidden_layer_sizes=(4,)).fit(X, np.ma.masked_array(X[:, 0], mask=mask[:, 2])),
    ):
        with pytest.raises(ValueError, match=r"masked value\(s\), the first in row 7"):
            refuse()


def test_targets_that_are_no_numbers_are_named_by_their_place(table):
    X, _ = table
    for value, words in [
        (np.nan, "Input y contains NaN in row 5"),
        (np.inf, "contains infinity or a value too large for dtype\\('float64'\\) in row 5"),
        (None, "Input y contains NaN"),
        ("tall", "'tall', which is not a number, in row 5"),
    ]:
        y = X[:, 0].astype(object)
        y[5] = value
        with pytest.raises(ValueError, match=words):
            MLPRegressor(hidden_layer_sizes=(4,)).fit(X, y)


def test_what_is_no_array_of_numbers_is_named(table):
    X, y = table
    fields = np.zeros(len(y), dtype=[("a", "f4"), ("b", "f4")])
    with pytest.raises(ValueError, match=r"structured array.*pandas.DataFrame"):
        MLPClassifier((4,)).fit(fields, y)
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="y is a sparse matrix"):
        MLPClassifier((4,)).fit(X, sparse.csr_matrix(y))


def test_labels_keep_their_type(table):
    X, y = table
    fit = lambda y: MLPClassifier((4,), max_iter=2, n_iter_no_change=None).fit(X, y)  # noqa: E731
    for labels, dtype in [
        (y.astype(object), np.int64),
        (y > 0, np.bool_),
        ((y > 0).astype(object), np.bool_),
        (y.astype(np.int8), np.int8),
        (y.astype(float).astype(object), np.float64),
        (np.array(["a", "bb", "c"])[y], np.dtype("<U2")),
        (np.array(["a", "bb", "c"])[y].tolist(), np.dtype("<U2")),
    ]:
        model = fit(labels)
        assert model.predict(X).dtype == dtype == model.classes_.dtype, dtype
    with pytest.raises(ValueError, match=r"y.argmax\(axis=1\) makes labels of one-hot rows"):
        fit(y).partial_fit(X, np.eye(3)[y])


def test_pandas_types(table):
    pandas = pytest.importorskip("pandas")
    X, y = table
    frame = pandas.DataFrame(X.round(2), columns=list("abcde"))
    fit = lambda X, y: MLPClassifier((4,), max_iter=5, random_state=0, n_iter_no_change=None).fit(X, y)  # noqa: E731
    expected = fit(frame, y)
    nullable = frame.convert_dtypes()
    assert str(nullable.dtypes.iloc[0]) == "Float64"
    for kind in (nullable, frame.astype(object), frame.map(str)):
        assert np.array_equal(fit(kind, y).coefs_[0], expected.coefs_[0])
    for labels in (pandas.Series(y), pandas.Series(y, dtype="Int64"), pandas.Series(y, dtype="category")):
        model = fit(frame, labels)
        assert np.array_equal(model.predict(frame), expected.predict(frame))
        assert model.classes_.dtype == np.int64
    with pytest.warns(UserWarning, match="column-vector y"):
        model = fit(frame, pandas.DataFrame({"y": y}))
    assert np.array_equal(model.predict(frame), expected.predict(frame))
    nullable.iloc[9, 3] = pandas.NA
    with pytest.raises(ValueError, match=r"NaN .*in row 9, column 3 \('d'\)"):
        fit(nullable, y)
