"""From arrays, frames and sparse matrices to rows of bytes, float32 or sparse float32."""

import numbers
import re
import warnings
from collections import Counter

import numpy as np

from gradus import _core, _frames


def is_sparse(X):
    """Return whether X is one of SciPy's sparse matrices or arrays."""
    return hasattr(X, "toarray") and hasattr(X, "nnz")


def precision(X):
    """Return the type of numbers that results for X have: float32 if X is, otherwise float64, as in scikit-learn."""
    if hasattr(X, "dtype"):
        return np.float32 if X.dtype == np.float32 else np.float64
    types = [str(kind).lower() for kind in _frames.types(X)]
    single = len(types) > 0 and all(kind in ("float32", "float") for kind in types)
    return np.float32 if single else np.float64


def rows(X, doubles=False):
    """Return samples as rows, and the shape of one sample.

    Bytes and truth values stay bytes, everything else becomes float32, or float64 where ``doubles`` says
    so: True for always, None where single precision would blur a column. Of arrays nothing is copied that
    is in form already. Sparse matrices stay sparse, but those of bytes, which take as much room.

    Parameters
    ----------
    X : array-like, frame or sparse matrix of shape (n_samples, ...)

    Returns
    -------
    values : ndarray of uint8, float32 or float64, C-contiguous, or SparseRows, of shape (n_samples, n_features)
    shape : tuple of int
        The shape of one sample: ``(28, 28)`` for an image.
    """
    names = _frames.names(X)
    if names is not None:
        _refuse_dates(X, names)
    _refuse_masked(X, "X")
    if is_sparse(X):
        values = X.toarray() if X.dtype in (np.uint8, bool) else X
    else:
        values = np.asarray(X)
    if values.dtype.names is not None:
        raise ValueError(
            "X is a structured array: make a frame of it with pandas.DataFrame(X), or an array with "
            "numpy.lib.recfunctions.structured_to_unstructured(X)"
        )
    if values.ndim < 2:
        raise ValueError(
            f"X has {values.ndim} dimension(s), expected samples as rows of a 2D array. Reshape your "
            "data: X.reshape(-1, 1) for a single feature, X.reshape(1, -1) for a single sample"
        )
    shape = values.shape[1:]
    features = int(np.prod(shape))
    if features == 0:
        raise ValueError(
            f"X has 0 feature(s) (shape={values.shape}) while a minimum of 1 is required."
        )
    if values.shape[0] == 0:
        raise ValueError(
            f"X has 0 sample(s) (shape={values.shape}) while a minimum of 1 is required."
        )
    if is_sparse(values):
        return _sparse_rows(values), shape
    return _in_form(values, names, doubles).reshape(len(values), features), shape


def _refuse_masked(values, name):
    """Check that no value of a masked array is masked: its data below the mask are no values."""
    if isinstance(values, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray) for row in values):
        values = np.ma.stack(values)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        mask = np.ma.getmaskarray(values)
        row = int(np.argwhere(mask)[0][0])
        raise ValueError(
            f"{name} is a masked array with {int(mask.sum())} masked value(s), the first in row {row}; a network "
            f"needs all values: fill the gaps, such as with {name}.filled(0), or leave the rows out"
        )


def _refuse_dates(X, names):
    column = _frames.first_date(X)
    if column is not None:
        raise ValueError(
            f"X has dates in column {column} ({str(names[column])!r}); expected numbers only: encode the "
            "column, such as by year and day, or leave it out"
        )


def _sparse_rows(X):
    _refuse_complex(X)
    if X.ndim != 2:
        raise ValueError(f"a sparse X has {X.ndim} dimensions, expected samples as rows of two")
    X = X.tocsr()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    with np.errstate(over="ignore"):
        values = X.data.astype(np.float32)
    starts, columns = X.indptr.astype(np.uint64), X.indices.astype(np.uint32)
    return _core.SparseRows(X.shape[1], starts, columns, values)


def _in_form(values, names, doubles):
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == bool:
        return np.ascontiguousarray(values).view(np.uint8)
    _refuse_complex(values)
    if values.dtype.kind not in "iuf":
        values = _numbers(values, names)
    if doubles is None:
        doubles = values.dtype.itemsize > 4 and _blurs(values)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float64 if doubles else np.float32)


def _blurs(values):
    """Return whether single precision would blur a column of these numbers."""
    values = np.ascontiguousarray(values, dtype=np.float64).reshape(len(values), -1)
    return _core.needs_doubles(values)


# Digits that begin with 0, such as a post code: text, whose zeros must not be lost.
_CODE = re.compile(r"\s*-?0[0-9]+\s*")


def _numbers(values, names):
    """Return the numbers among strings and objects as float64; anything else is refused by its place."""
    is_code = any(isinstance(value, str) and _CODE.fullmatch(value) for value in values.flat)
    if values.dtype.kind not in "mM" and not is_code:
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError):
            pass
    rows = values.reshape(len(values), -1)
    for column in range(rows.shape[1]):
        for row, value in enumerate(rows[:, column]):
            error, what = _why_no_number(value)
            if error is not None:
                name = "" if names is None else f" ({str(names[column])!r})"
                raise error(
                    f"X has {what} in row {row}, column {column}{name}; expected numbers only: encode the "
                    "column, fill the gap, or leave the column or the row out"
                )
    return values.astype(np.float64)


def _why_no_number(value):
    """Return the exception for a value that is not a number, and what it is; None for a number."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ValueError, "NaN (a missing value)"
    if isinstance(value, str) and _CODE.fullmatch(value):
        return ValueError, f"{value!r}, which begins with 0 and is text, not a number,"
    if isinstance(value, (np.datetime64, np.timedelta64)) or hasattr(value, "isoformat"):
        return ValueError, f"a date ({value})"
    try:
        float(value)
    except ValueError:
        return ValueError, f"{value!r}, which is not a number,"
    except TypeError as error:
        # Tools that check estimators look for Python's own words.
        return TypeError, f"{value!r} ({error})"
    return None, ""


def _refuse_complex(values):
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported: X is complex, expected real numbers")


def feature_names(X):
    """Return the column names of a frame where all of them are strings, else None."""
    columns = _frames.names(X)
    if columns is None:
        return None
    names = np.array(columns, dtype=object)
    strings = [isinstance(name, str) for name in names]
    if names.size and all(strings):
        return names
    if any(strings):
        kinds = sorted({type(name).__name__ for name in names})
        raise TypeError(
            "Feature names are only supported if all of them are strings, but the columns of X are "
            f"named by {', '.join(kinds)}: rename them with X.columns = X.columns.astype(str)"
        )
    return None


def in_order(X, names, known, what="X", stacklevel=2):
    """Return the frame with the known columns in their order.

    Parameters
    ----------
    X : frame
    names : sequence of str
        Of its columns.
    known : sequence of str
        Columns that the model was trained on.
    """
    if list(names) == list(known):
        return X
    places = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    wanted = Counter(known)
    missing = [name for name in wanted if len(places.get(name, [])) < wanted[name]]
    unknown = [name for name in places if name not in wanted]
    if missing:
        raise ValueError(
            "The feature names should match those that were passed during fit: "
            + (f"unknown: {unknown[:5]}; " if unknown else "")
            + f"missing: {missing[:5]}"
        )
    twins = [name for name in wanted if len(places[name]) > wanted[name]]
    if twins:
        raise ValueError(f"{what} has several columns named {twins[0]!r}: which one is meant?")
    if unknown:
        warnings.warn(
            f"{what} has columns that the model was not trained on, which are ignored: {unknown[:5]}",
            UserWarning,
            stacklevel=stacklevel,
        )
    # Of several columns of one name the first stays the first.
    return _frames.take(X, [places[name].pop(0) for name in known])


def vector(values, name, samples):
    """Return a column or vector with one entry for each sample as a vector."""
    if is_sparse(values):
        raise ValueError(f"{name} is a sparse matrix: use {name}.toarray().ravel()")
    _refuse_masked(values, name)
    values = _plain(np.asarray(values))
    if values.ndim == 2 and values.shape[1] == 1:
        from gradus._errors import conversion_warning

        warnings.warn(
            f"A column-vector {name} was passed when a 1d array was expected. Its values are used; "
            f"{name}.ravel() avoids this warning",
            conversion_warning(),
            stacklevel=5,
        )
        values = values.ravel()
    if values.ndim != 1:
        advice = f"; {name}.argmax(axis=1) makes labels of one-hot rows" if _is_one_hot(values) else ""
        raise ValueError(
            f"{name} should be a 1d array of one entry for each sample, got an array of shape "
            f"{values.shape}{advice}"
        )
    if len(values) != samples:
        raise ValueError(f"{name} has {len(values)} entries, but X has {samples} samples")
    return values


def _plain(values):
    """Return an array of objects that are all numbers, or all truth values, in the type of these."""
    if values.dtype.kind != "O":
        return values
    kinds = {type(value) for value in values.flat}
    for types, dtype in (
        ((bool, np.bool_), np.bool_),
        ((int, np.integer), np.int64),
        ((int, np.integer, float, np.floating), np.float64),
    ):
        # A truth value is a whole number to Python, but not to the user.
        truths = dtype is not np.bool_ and kinds & {bool, np.bool_}
        if kinds and not truths and all(issubclass(kind, types) for kind in kinds):
            try:
                return values.astype(dtype)
            except OverflowError:
                return values
    return values


def _is_one_hot(values):
    """Return whether each row has a single 1 and zeros."""
    if values.ndim != 2 or values.dtype.kind not in "biuf" or values.shape[1] < 2:
        return False
    return bool(np.all((values == 0) | (values == 1)) and np.all((values == 1).sum(axis=1) == 1))


def values(y, name, samples):
    """Return the targets of each sample as float64 of shape (n_samples, n_outputs)."""
    _refuse_masked(y, name)
    y = np.asarray(y)
    if y.dtype.kind not in "biufO":
        raise ValueError(f"{name} has values of type {y.dtype}, but a regressor needs real numbers")
    if y.ndim != 2 or y.shape[1] == 1:
        y = vector(y, name, samples).reshape(samples, 1)
    elif len(y) != samples:
        raise ValueError(f"{name} has {len(y)} rows, but X has {samples} samples")
    if y.shape[1] == 0:
        raise ValueError(f"{name} has no columns: there is nothing to learn")
    y = _target_numbers(y, name)
    check_numbers(y, name)
    return y


def _target_numbers(y, name):
    """Return targets as float64; anything that is no number is refused by its place."""
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError):
        for row, values in enumerate(y.reshape(len(y), -1)):
            for value in values:
                error, what = _why_no_number(value)
                if error is not None:
                    raise error(
                        f"Input {name} contains {what} in row {row}: a regressor needs numbers"
                    ) from None
        raise


def is_gap(value):
    """Return whether a cell is None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (numbers.Real, np.datetime64, np.timedelta64)) and bool(value != value)


def missing_targets(y):
    """Return for each row whether its target is a gap (one of several is enough); None if no row has one."""
    if y is None or is_sparse(y):
        return None
    try:
        y = np.asarray(y)
    except ValueError:
        return None
    if y.ndim not in (1, 2) or y.dtype.kind not in "fO":
        return None
    if y.dtype.kind == "f":
        gaps = np.isnan(y)
    else:
        gaps = np.array([is_gap(value) for value in y.flat], dtype=bool).reshape(y.shape)
    gaps = gaps if gaps.ndim == 1 else gaps.any(axis=1)
    return gaps if gaps.any() else None


def single(values, name):
    """Return finite values as C-contiguous float32."""
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(values, dtype=np.float32)
    if not np.all(np.isfinite(single)):
        raise ValueError(f"{name} has a value too large for single precision: scale it down")
    exact = np.asarray(values, dtype=np.float64)
    if exact.size == 0:
        return single
    error, spread = np.abs(exact - single).max(axis=0), exact.std(axis=0)
    if np.any((error * 32 > spread) & (np.ptp(exact, axis=0) > 0)):
        least = exact.min()
        raise ValueError(
            f"{name} is from {least} to {exact.max()}: single precision, in which it is learned, hides what tells the "
            f"values apart; subtract {least} from all of them"
        )
    return single


def check_numbers(y, name):
    """Check that all values are finite."""
    finite = np.isfinite(y)
    if not np.all(finite):
        row = int(np.argwhere(~finite)[0][0])
        what = "NaN" if np.isnan(y).any() else f"infinity or a value too large for {y.dtype!r}"
        if what == "NaN":
            row = int(np.argwhere(np.isnan(y))[0][0])
        raise ValueError(f"Input {name} contains {what} in row {row}.")


def sample_weights(values, samples):
    """Return the weights as float32, or None; the core checks their values."""
    if values is None:
        return None
    _refuse_masked(values, "sample_weight")
    values = np.asarray(values, dtype=np.float32)
    if values.ndim == 0:
        values = np.full(samples, values)
    if values.shape != (samples,):
        raise ValueError(
            f"sample_weight has shape {values.shape}, expected ({samples},): one for each sample"
        )
    if not values.any():
        raise ValueError("every sample_weight is zero: there is nothing to learn from")
    return np.ascontiguousarray(values)


def encode(y):
    """Return the classes, sorted, and the index of each label among them."""
    if y.dtype.kind in "iu" and y.size:
        low, high = int(y.min()), int(y.max())
        if high - low < 65536:
            # Counting is much faster than sorting.
            least = y.dtype.type(low)
            # Differences of small types overflow; read as unsigned numbers they are correct.
            shifted = (y - least).astype(f"u{y.dtype.itemsize}").astype(np.int64)
            present = np.bincount(shifted) > 0
            index = (np.cumsum(present) - 1).astype(np.uint32)
            classes = np.flatnonzero(present).astype(y.dtype) + least
            return classes, index[shifted]
    if y.dtype.kind == "O":
        refuse_gaps(y)
    try:
        classes, indices = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"y has labels of kinds that cannot be sorted: {error}") from error
    return classes, indices.astype(np.uint32).ravel()


def refuse_gaps(y):
    """Check that no label is missing."""
    for row, label in enumerate(y):
        if label is None or type(label).__name__ in ("NAType", "NaTType") or label != label:
            raise ValueError(
                f"Input y contains NaN (a missing label) in row {row}: fill it in, or leave the row out"
            )


def encode_known(y, classes):
    """Return the index of each label among known classes."""
    try:
        # The classes of models of other programs come in any order.
        order = np.argsort(classes, kind="stable")
        places = np.searchsorted(classes, y, sorter=order).clip(max=len(classes) - 1)
        indices = order[places]
        known = classes[indices] == y
    except TypeError:
        known = np.zeros(len(y), dtype=bool)
    if not np.all(known):
        strange = np.asarray(y)[~np.asarray(known)][:3].tolist()
        raise ValueError(
            f"y has labels that are not among the classes {classes.tolist()}: {strange}"
        )
    return indices.astype(np.uint32)
