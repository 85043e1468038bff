"""Memory maps larger than memory: where their rows are in their files."""

import mmap

import numpy as np

from gradus import _core

# From so many bytes on samples are not copied into memory: below that, a copy is faster.
LEAST_BYTES = 1 << 28


def rows_in_file(X):
    """Return where the rows of a memory map are in its file, to be read while a network is trained on them.

    Parameters
    ----------
    X : object
        Samples of any kind.

    Returns
    -------
    rows : FileRows or None
        None for anything but a large memory map of uint8 or float32 whose rows lie one behind the other in a file, and for one
        whose changes are not written to the file.
    """
    if not isinstance(X, np.memmap) or X.dtype not in (np.uint8, np.float32) or X.ndim < 2:
        return None
    file, contents = getattr(X, "filename", None), getattr(X, "_mmap", None)
    if file is None or contents is None or X.mode == "c" or not X.flags.c_contiguous:
        return None
    if X.nbytes < LEAST_BYTES:
        return None
    if X.mode != "r":
        X.flush()
    # A part of a map knows the offset of the whole: where it begins follows from the addresses.
    whole = np.frombuffer(contents, dtype=np.uint8)
    within = X.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    start = X.offset - X.offset % mmap.ALLOCATIONGRANULARITY + within
    return _core.FileRows(str(file), start, (len(X), X.size // len(X)), X.dtype.name)
