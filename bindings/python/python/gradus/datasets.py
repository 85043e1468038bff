"""Data sets by name or path, as ``(x_train, y_train), (x_test, y_test)`` like those of Keras; and your own images.

A named set is looked for in the same places as by the program `gradus`: in ``data_dir``, in
``$GRADUS_DATA``, in ``./data``, in the cache, and in the folders of Keras and torchvision. If it is in none
of them, it is downloaded into the cache and verified.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from gradus import _core, _settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    Part = tuple[NDArray[Any], NDArray[Any]]

__all__ = [
    "Shards",
    "digits",
    "load",
    "load_digits",
    "load_fashion_mnist",
    "load_kmnist",
    "load_mnist",
    "load_qmnist",
    "names",
    "pack",
    "read_image",
]


def names() -> list[str]:
    """Return the names of all data sets that `load` supports.

    Returns
    -------
    names : list of str
    """
    return _core.names()


def load(
    name: str | PathLike[str],
    *,
    data_dir: str | PathLike[str] | None = None,
    test: str | PathLike[str] | None = None,
    label_column: str | None = None,
    drop: str | Sequence[str] = (),
    encoding: str | None = None,
    values: bool = False,
    image_size: tuple[int, int] | None = None,
    random_state: int = 0,
    download: bool = True,
    validation: bool = False,
) -> tuple[Any, ...]:
    """Load a named set, or the data at a path.

    Parameters
    ----------
    name : str or path-like
        One of `names`, or a folder of IDX files, an ``.npz`` or ``.csv`` file, or a folder with one
        sub-folder of images for each class.
    data_dir : path-like, default=None
        The first folder in which a named set is looked for.
    test : path-like, default=None
        A test set that replaces the one in the data.
    label_column : str, default=None
        The label column of a table: a name, or a position from '0'; with ``values`` one or several,
        'height,width'.
    drop : str or sequence of str, default=()
        Columns of a table to leave out: names, or positions from '0'.
    encoding : {'utf-8', 'utf-16le', 'utf-16be', 'windows-1252'}, default=None
        How the letters of a table are written as bytes. None is what its byte order mark says, otherwise
        UTF-8, otherwise Windows-1252 with a warning.
    values : bool, default=False
        Whether the labels of a table or an ``.npz`` file are regression targets, for `MLPRegressor`,
        instead of classes.
    image_size : tuple (height, width), default=None
        The size to which images are scaled.
    random_state : int, default=0
        Decides which fifth of data without a test part becomes the test part.
    download : bool, default=True
        Whether a named set that is not on this machine is downloaded.
    validation : bool, default=False
        Whether to return the validation part of the data, too: ``x_val`` and ``y_val`` in an ``.npz``
        file, or what is called ``val``, ``valid``, ``validation`` or ``dev`` in a folder. Without it, a
        warning says that there is such a part; data without a test part are tested with it.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        With ``validation=True``: (x_train, y_train), (x_val, y_val), (x_test, y_test), the last one None
        if the data have no test part.

        Images are uint8 of shape (n, height, width), tables float32 of shape (n, features). Labels of
        named sets, and of data whose classes are called 0, 1, ..., are uint8; others are the names
        of the classes. Regression targets are float32 of shape (n,) or, if there are several,
        (n, n_outputs).

    Raises
    ------
    FileNotFoundError
        If there is no such set or path.
    ConnectionError
        If a set is not on this machine and cannot be downloaded.
    ValueError
        If the data cannot be used, or have no validation part that is asked for.
    """
    found, target_names, warned = _core.load(
        os.fspath(name),
        data_dir=data_dir,
        test=test,
        label_column=label_column,
        drop=[drop] if isinstance(drop, str) else list(drop),
        encoding=encoding,
        values=values,
        image_size=image_size,
        seed=random_state,
        download=download,
        validation=validation,
    )
    for warning in warned:
        warnings.warn(warning, stacklevel=2)
    named = [str(at) for at in range(len(target_names))] == target_names or _is_named(name)

    def in_words(part: Part | None) -> Part | None:
        if part is None:
            return None
        x, y = part
        if values:
            return x, (y.ravel() if len(target_names) == 1 else y)
        return x, (y if named else np.array(target_names)[y])

    train, held_out, tested = (in_words(part) for part in found)
    if validation:
        return train, held_out, tested
    return train, tested


def _is_named(name: str | PathLike[str]) -> bool:
    return str(name).lower().replace("_", "-") in names()


def load_mnist(**options: Any) -> tuple[Part, Part]:
    """Load MNIST: 60,000 and 10,000 handwritten digits, 28 x 28 bytes each.

    Parameters
    ----------
    **options : dict
        Those of `load`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("mnist", **options)


def load_fashion_mnist(**options: Any) -> tuple[Part, Part]:
    """Load Fashion-MNIST: 60,000 and 10,000 articles of clothing, 28 x 28 bytes each.

    Parameters
    ----------
    **options : dict
        Those of `load`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("fashion-mnist", **options)


def load_kmnist(**options: Any) -> tuple[Part, Part]:
    """Load KMNIST: 60,000 and 10,000 Japanese characters, 28 x 28 bytes each.

    Parameters
    ----------
    **options : dict
        Those of `load`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("kmnist", **options)


def load_qmnist(**options: Any) -> tuple[Part, Part]:
    """Load QMNIST: MNIST's 60,000 digits and 60,000 for testing, 28 x 28 bytes each.

    Parameters
    ----------
    **options : dict
        Those of `load`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("qmnist", **options)


def load_digits() -> tuple[Part, Part]:
    """Load the built-in digits, 60,000 and 10,000, for a machine without a network.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("digits")


def digits(
    n_samples: int, seed: int = 0, *, test: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw built-in digits in MNIST's form.

    Parameters
    ----------
    n_samples : int
        Number of digits; each run of ten contains every digit once.
    seed : int, default=0
        Seed of the random numbers.
    test : bool, default=False
        Whether to draw from the test part, which shares no sample with the training part.

    Returns
    -------
    x : ndarray of uint8 of shape (n_samples, 28, 28)
    y : ndarray of uint8 of shape (n_samples,)
    """
    return _core.digits(n_samples, seed, test)


def read_image(
    source: str | PathLike[str] | ArrayLike, *, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Convert an image of a digit to MNIST's form, as `gradus predict` does.

    The digit may be dark on light or light on dark, of any size: the image is inverted if necessary,
    fitted into 20 x 20 and centred by mass. An image that is already in MNIST's form is not changed.

    Parameters
    ----------
    source : str, path-like or array-like of shape (height, width)
        An image file (PNG, JPEG, WebP, BMP or TIFF); or grey values from 0 to 255, or booleans.
    size : tuple (height, width), default=None
        Only scale the image, to this size, for models of other images than MNIST's.

    Returns
    -------
    image : ndarray of uint8 of shape (28, 28), or of ``size``
        ``model.predict(image[None])`` predicts the digit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not an image, or nothing stands out from its background.
    """
    if not isinstance(source, (str, os.PathLike)):
        source = _grey(np.asarray(source))
    return _core.image(source, None if size is None else _settings.pair("size", size))


# The earlier name.
read_picture = read_image


def _grey(values):
    if values.ndim != 2:
        raise ValueError(
            f"the image has shape {values.shape}, expected grey values of shape (height, width)"
        )
    if values.dtype == bool:
        return np.where(values, 255, 0).astype(np.uint8)
    if values.dtype.kind not in "iu":
        raise ValueError(
            f"the image has values of type {values.dtype}, expected whole numbers from 0 to 255: "
            "convert grey values from 0 to 1 with (255 * image).astype(numpy.uint8)"
        )
    if values.size and (values.min() < 0 or values.max() > 255):
        raise ValueError(
            f"the image has values {values.min()} to {values.max()}, expected 0 to 255"
        )
    return values.astype(np.uint8)


class Shards:
    """A folder of shards: samples that stay in their files, for data beyond memory.

    Such a folder is written by ``gradus data pack`` or `pack`. Slices are read when they are asked for.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Attributes
    ----------
    shape : tuple of int
        (n, height, width) of images, (n, features) of tables of numbers, (n,) of other tables.
    dtype : numpy.dtype
        uint8, float32 or float64. Of a table with text, gaps or dates that of a structured array with a field for each column:
        float64 (NaN is a gap), object (a text or None) or datetime64[s]; ``pandas.DataFrame(X)`` makes a frame of it.
    target_names : list of str
        The names of the classes, labels or values.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If the index is damaged or a file does not fit it; the message names the file. The content of the files is
        checked by `verify`.

    Examples
    --------
    >>> shards = Shards("mnist-shards")  # doctest: +SKIP
    >>> for X, y in shards.batches(8192):  # doctest: +SKIP
    ...     classifier.partial_fit(X, y, classes=shards.target_names)
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._shards = _core.Shards(os.fspath(path))
        self.path = os.fspath(path)
        columns = self._shards.raw_columns
        if columns is None:
            self.shape: tuple[int, ...] = (len(self._shards), *self._shards.sample_shape)
            self.dtype: np.dtype[Any] = np.dtype(self._shards.dtype)
        else:
            fields = {"number": "f8", "text": "O", "time": "M8[s]"}
            self.shape = (len(self._shards),)
            self.dtype = np.dtype([(name, fields[kind]) for name, kind in columns])
        self.target_names: list[str] = self._shards.names
        self._is_numbered = self.target_names == [str(at) for at in range(len(self.target_names))]

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Shards({self.path!r}, shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, key: int | slice) -> Part:
        """Read samples and their targets.

        Parameters
        ----------
        key : int or slice
            A number, or a range of numbers; negative ones count from the end.

        Returns
        -------
        X, y : ndarray
            As `load` returns them. For a number, one sample and its target.
        """
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            wanted = range(start, stop, step)
            if not wanted:
                x, y = self._read(0, 1)
                return x[:0], y[:0]
            first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
            x, y = self._read(first, last + 1)
            return x[::step], y[::step]
        at = range(len(self))[key]
        x, y = self._read(at, at + 1)
        return x[0], y[0]

    def batches(self, size: int = 8192) -> Iterator[Part]:
        """Read all samples, ``size`` of them at a time, in their order.

        Parameters
        ----------
        size : int, default=8192
            Samples of a batch; the last one may have fewer.

        Yields
        ------
        X, y : ndarray
        """
        if size < 1:
            raise ValueError(f"size is {size}, but must be at least 1")
        for start in range(0, len(self), size):
            yield self._read(start, min(start + size, len(self)))

    def verify(self) -> None:
        """Read all files and compare them with the digests in the index.

        Raises
        ------
        ValueError
            If a file is another one than was packed; the message names it.
        """
        self._shards.verify()

    def _read(self, start: int, stop: int) -> Part:
        x, y = self._shards.read(start, stop)
        if self.dtype.names is not None:
            columns, x = x, np.empty(stop - start, self.dtype)
            for name, column in zip(self.dtype.names, columns, strict=True):
                x[name] = column if self.dtype[name].kind != "M" else column.view("M8[s]")
        if not self._shards.has_classes:
            return x, (y.ravel() if len(self.target_names) == 1 else y)
        return x, (y if self._is_numbered else np.array(self.target_names)[y])


def pack(
    path: str | PathLike[str],
    X: ArrayLike,
    y: ArrayLike,
    *,
    shuffle: bool = True,
    random_state: int = 0,
    shard_rows: int | None = None,
) -> Shards:
    """Pack arrays into a folder of shards, piece by piece.

    Parameters
    ----------
    path : str or path-like
        The folder to create; it appears when all of it is written.
    X : array-like of shape (n, features) or (n, height, width)
        Samples, for example a ``np.memmap`` larger than memory. uint8 and float64 stay as they are, other numbers become
        float32.
    y : array-like of shape (n,) or (n, n_outputs)
        Classes: integers, text or booleans. Floats are regression targets.
    shuffle : bool, default=True
        Whether to shuffle the samples: every order is equally probable, in memory that does not depend on n.
    random_state : int, default=0
        Decides the order.
    shard_rows : int, default=None
        Samples of a shard. None is as many blocks of 8192 as have about 256 MiB.

    Returns
    -------
    Shards
    """
    X, y = np.asanyarray(X), np.asarray(y)
    if X.ndim < 2:
        raise ValueError(f"X has {X.ndim} dimensions, but must have one row for each sample")
    if X.dtype not in (np.uint8, np.float32, np.float64):
        X = X.astype(np.float32)
    rows = np.ascontiguousarray(X).reshape(len(X), -1)
    if y.dtype.kind == "f":
        targets = np.ascontiguousarray(y.reshape(len(y), -1), dtype=np.float32)
        count = targets.shape[1]
        target_names = ["y"] if count == 1 else [f"y{at}" for at in range(count)]
    else:
        if y.ndim != 1:
            raise ValueError(f"y has {y.ndim} dimensions, but classes have one")
        classes, codes = np.unique(y, return_inverse=True)
        targets, target_names = codes.astype(np.uint32), [str(name) for name in classes]
    _core.pack_shards(
        os.fspath(path),
        rows,
        targets,
        target_names,
        shape=X.shape[1:],
        seed=random_state if shuffle else None,
        shard_rows=shard_rows,
    )
    return Shards(path)
