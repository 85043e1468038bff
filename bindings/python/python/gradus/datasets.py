"""Data sets by name or path, as Keras returns them: ``(x_train, y_train), (x_test, y_test)``; and pictures
of your own.

A named set is looked for where the program `gradus` looks: in ``data_dir``, in ``$GRADUS_DATA``, in
``./data``, in the cache, and where Keras and torchvision leave it; else it is downloaded, checked and
kept in the cache.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from gradus import _core, _settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray

    Part = tuple[NDArray[Any], NDArray[Any]]

__all__ = [
    "digits",
    "load",
    "load_digits",
    "load_fashion_mnist",
    "load_kmnist",
    "load_mnist",
    "load_qmnist",
    "names",
    "read_picture",
]


def names() -> list[str]:
    """Return the names of all sets that `load` knows.

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
) -> tuple[Part, Part]:
    """Load a named set, or the data at a path.

    Parameters
    ----------
    name : str or path-like
        One of `names`, or a folder of IDX files, an ``.npz`` or ``.csv`` file, or a folder with one
        sub-folder of pictures for each class.
    data_dir : path-like, default=None
        A folder in which named sets are looked for first.
    test : path-like, default=None
        A test set that takes the place of the data's own.
    label_column : str, default=None
        The label column of a table: a name, or a position from '0'; with ``values`` one or several,
        'height,width'.
    drop : str or sequence of str, default=()
        Columns of a table to leave out: names, or positions from '0'.
    encoding : {'utf-8', 'utf-16le', 'utf-16be', 'windows-1252'}, default=None
        How the letters of a table are written as bytes. None is what its byte order mark says, otherwise
        UTF-8, otherwise Windows-1252 with a warning.
    values : bool, default=False
        Whether the samples of a table or an ``.npz`` file are answered with values, for `MLPRegressor`,
        instead of classes.
    image_size : tuple (height, width), default=None
        To which pictures are scaled.
    random_state : int, default=0
        Decides which fifth of data without a test part is set apart.
    download : bool, default=True
        Whether a named set that is not on this machine is downloaded.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
        Images are uint8 of shape (n, height, width), tables float32 of shape (n, features). Labels of
        named sets, and of data whose classes are called 0, 1, ..., are uint8; others are the names
        of the classes. Values are float32 of shape (n,) or, where there are several, (n, n_outputs).

    Raises
    ------
    FileNotFoundError
        Where there is no such set or path.
    ConnectionError
        Where a set is not on this machine and cannot be downloaded.
    ValueError
        Where the data cannot be used.
    """
    arrays, answer_names, notices = _core.load(
        str(name),
        data_dir=data_dir,
        test=test,
        label_column=label_column,
        drop=[drop] if isinstance(drop, str) else list(drop),
        encoding=encoding,
        values=values,
        image_size=image_size,
        seed=random_state,
        download=download,
    )
    for notice in notices:
        warnings.warn(notice, stacklevel=2)
    x_train, y_train, x_test, y_test = arrays
    if values:
        if len(answer_names) == 1:
            y_train, y_test = y_train.ravel(), y_test.ravel()
    elif not _is_named(str(name)) and answer_names != [str(at) for at in range(len(answer_names))]:
        labels = np.array(answer_names)
        y_train, y_test = labels[y_train], labels[y_test]
    return (x_train, y_train), (x_test, y_test)


def _is_named(name: str) -> bool:
    return name.lower().replace("_", "-") in names()


def load_mnist(**options: Any) -> tuple[Part, Part]:
    """Load MNIST: 60,000 and 10,000 handwritten digits, 28 x 28 bytes each.

    Parameters
    ----------
    **options : dict
        As of `load`.

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
        As of `load`.

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
        As of `load`.

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
        As of `load`.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("qmnist", **options)


def load_digits() -> tuple[Part, Part]:
    """Load the digits that gradus draws itself, 60,000 and 10,000, for a machine without a network.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray
    """
    return load("digits")


def digits(
    n_samples: int, seed: int = 0, *, test: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw digits in MNIST's form.

    Parameters
    ----------
    n_samples : int
        How many; each run of ten holds every digit once.
    seed : int, default=0
        Another seed draws others.
    test : bool, default=False
        Whether they are of the test part, which shares no sample with the other.

    Returns
    -------
    x : ndarray of uint8 of shape (n_samples, 28, 28)
    y : ndarray of uint8 of shape (n_samples,)
    """
    return _core.digits(n_samples, seed, test)


def read_picture(
    source: str | PathLike[str] | ArrayLike, *, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Bring a picture of a digit into MNIST's form, as `gradus predict` does.

    Dark on light or light on dark, of any size: it is inverted if need be, fitted into 20 x 20 and
    centred by mass. What is in MNIST's form already comes back unchanged.

    Parameters
    ----------
    source : str, path-like or array-like of shape (height, width)
        A PNG or JPEG file, of any colours; or grey values 0 to 255, or truth values.
    size : tuple (height, width), default=None
        The picture scaled to this size instead, otherwise as it is: the form of models of other
        pictures than MNIST's.

    Returns
    -------
    picture : ndarray of uint8 of shape (28, 28), or of ``size``
        ``model.predict(picture[None])`` tells the digit.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is no picture, or nothing stands out from its background.
    """
    if not isinstance(source, (str, os.PathLike)):
        source = _grey(np.asarray(source))
    return _core.picture(source, None if size is None else _settings.pair("size", size))


def _grey(values):
    if values.ndim != 2:
        raise ValueError(
            f"the picture has shape {values.shape}, expected grey values of shape (height, width)"
        )
    if values.dtype == bool:
        return np.where(values, 255, 0).astype(np.uint8)
    if values.dtype.kind not in "iu":
        raise ValueError(
            f"the picture has values of type {values.dtype}, expected whole numbers 0 to 255: of grey "
            "values 0 to 1, give (255 * picture).astype(numpy.uint8)"
        )
    if values.size and (values.min() < 0 or values.max() > 255):
        raise ValueError(
            f"the picture has values {values.min()} to {values.max()}, expected 0 to 255"
        )
    return values.astype(np.uint8)
