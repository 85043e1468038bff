"""Data sets as arrays."""

import os

import numpy as np
import pytest

from gradus import MLPClassifier, datasets


def test_digits_are_drawn():
    x, y = datasets.digits(100, seed=3)
    assert (x.shape, x.dtype, y.dtype) == ((100, 28, 28), np.uint8, np.uint8)
    assert np.bincount(y).tolist() == [10] * 10
    longer, _ = datasets.digits(200, seed=3)
    assert np.array_equal(longer[:100], x)
    assert not np.array_equal(datasets.digits(100, seed=4)[0], x)
    assert not np.array_equal(datasets.digits(100, seed=3, test=True)[0], x)
    x[0] = 0  # it is the caller's own
    with pytest.raises(ValueError, match="expected 1 to"):
        datasets.digits(0)


def test_a_file_of_arrays(tmp_path):
    x, y = datasets.digits(50)
    np.savez(tmp_path / "set.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    (x_train, y_train), (x_test, y_test) = datasets.load(tmp_path / "set.npz")
    assert np.array_equal(x_train, x[:40]) and np.array_equal(y_test, y[40:])
    assert y_train.dtype == np.uint8


def test_a_table_with_names(tmp_path):
    lines = ["width,height,kind"]
    lines += [f"{at},{2 * at},{'wide' if at % 2 else 'tall'}" for at in range(40)]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="no test part"):
        train, test = datasets.load(tmp_path / "table.csv", label_column="kind")
    assert (train[0].shape, test[0].shape) == ((32, 2), (8, 2))
    assert train[0].dtype == np.float32
    assert set(train[1]) == {"wide", "tall"}
    assert MLPClassifier(max_iter=1).fit(*train).predict(test[0]).dtype == train[1].dtype


def test_a_validation_part(tmp_path):
    x, y = np.zeros((6, 2, 2), np.uint8), np.array([0, 1, 0, 1, 0, 1])
    parts = {"x_train": x, "y_train": y, "x_val": x[:4], "y_val": y[:4]}
    np.savez(tmp_path / "two.npz", **parts)
    np.savez(tmp_path / "three.npz", **parts, x_test=x[:2], y_test=y[:2])
    train, validation, test = datasets.load(tmp_path / "three.npz", validation=True)
    assert [len(part[0]) for part in (train, validation, test)] == [6, 4, 2]
    np.testing.assert_array_equal(validation[1], y[:4])
    with pytest.warns(UserWarning, match="validation part of 4 samples, which is not returned"):
        train, test = datasets.load(tmp_path / "three.npz")
    assert (len(train[0]), len(test[0])) == (6, 2)
    train, validation, test = datasets.load(tmp_path / "two.npz", validation=True)
    assert (len(train[0]), len(validation[0]), test) == (6, 4, None)
    with pytest.warns(UserWarning, match="no test part: its validation part of 4 samples"):
        train, test = datasets.load(tmp_path / "two.npz")
    assert (len(train[0]), len(test[0])) == (6, 4)
    with pytest.raises(ValueError, match="`?validation`? is True, but digits has no validation part"):
        datasets.load("digits", validation=True)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_path_that_is_no_text(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"bad\xff.csv")
    try:
        with open(path, "w") as file:
            file.write("a,b,kind\n" + "1,2,x\n3,4,y\n" * 10)
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.warns(UserWarning, match="no test part"):
        train, test = datasets.load(os.fsdecode(path), label_column="kind")
    assert (len(train[0]), len(test[0])) == (16, 4)


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no data set 'mnits'|mnits"):
        datasets.load("mnits")
    with pytest.raises(FileNotFoundError, match="data folder"):
        datasets.load_mnist(data_dir=tmp_path / "nowhere")
    assert {"mnist", "fashion-mnist", "kmnist", "qmnist", "digits"} <= set(datasets.names())


def test_real_mnist_is_learned_within_seconds(mnist):
    (x_train, y_train), (x_test, y_test) = mnist
    assert (x_train.shape, x_test.shape, x_train.dtype) == (
        (60000, 28, 28),
        (10000, 28, 28),
        np.uint8,
    )
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    model = MLPClassifier(
        (256,), solver="adamw", weight_decay=0.1, alpha=0.0, learning_rate_init=0.01,
        schedule="one-cycle", batch_size=128, max_iter=6, normalization="unit", init="he",
        random_state=0,
    )  # fmt: skip
    assert model.fit(x_train, y_train).score(x_test, y_test) > 0.98


def test_the_earlier_name_of_read_image_works_and_is_not_shown():
    assert datasets.read_picture is datasets.read_image
    assert "read_picture" not in datasets.__all__
