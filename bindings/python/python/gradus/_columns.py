"""From frames to raw columns: numbers, text and times, each with gaps, as the core takes them.

Frames of pandas, Polars and PyArrow, structured and other arrays of NumPy, lists of rows, and whatever has the Arrow
interface (results of DuckDB or SQLite, say) become a table of the core. No library is imported that did not make the
frame. Text is read by the rules of tables in files: spaces around it are trimmed, the usual spellings of gaps are gaps, and
text that holds dates alone becomes dates.

A column is an array of float64 (NaN for gaps), an array of int64 (seconds since 1970), or a triple: an array of uint32, the
list of texts that these are indices into, and whether it is a category whatever its text looks like.
"""

import datetime
import numbers

import numpy as np

from gradus import _core, _frames, _inputs
from gradus._inputs import is_gap

# What stands for a gap in the core's columns.
_NO_TEXT = np.uint32(2**32 - 1)
_NO_TIME = np.iinfo(np.int64).min

_KINDS = {"number": "number", "category": "text", "date": "time"}


def table(X, chosen=None, types=None, missing=None, date_orders=None):
    """Return the raw columns of X as the core's table.

    Parameters
    ----------
    X : frame, array or list of rows
    chosen : dict of int to str, default=None
        The kinds, 'number', 'category' or 'date', that the user gives columns at these positions.
    types : list of str, default=None
        The types that a trained model takes; columns are converted where that is exact.
    missing : list of str, default=None
        The texts that are gaps, in place of the usual ones.
    date_orders : list of str, default=None
        What comes first in the dates of each column, 'day-first' or 'month-first', where a model knows it.

    Returns
    -------
    table : _core.Table
    shape : tuple of int
        The shape of one row: the number of columns.
    """
    chosen = chosen or {}
    columns, names = _columns(X)
    if not columns:
        raise ValueError(f"X has 0 feature(s) (shape={_shape(X)}) while a minimum of 1 is required.")
    if types is None:
        types = [_KINDS.get(chosen.get(at)) for at in range(len(columns))]
    elif len(types) != len(columns):
        raise ValueError(f"X has {len(columns)} features, but the model takes {len(types)}")
    raw = []
    for at, column in enumerate(columns):
        try:
            values = column()
        except _Unreadable as error:
            name = "" if names is None else f" ({str(names[at])!r})"
            raise error.kind(f"X has {error.what} column {at}{name}: {error.expected}") from None
        if chosen.get(at) == "category":
            values = _as_category(values)
        raw.append(values)
    if len(raw[0][0] if isinstance(raw[0], tuple) else raw[0]) == 0:
        raise ValueError(f"X has 0 sample(s) (shape={_shape(X)}) while a minimum of 1 is required.")
    named = None if names is None else [str(name) for name in names]
    return _core.Table(raw, types, named, missing, date_orders), (len(raw),)


def count(X):
    """Return the number of columns of X; 0 if that cannot be said."""
    names = _frames.names(X)
    if names is not None:
        return len(names)
    shape = getattr(X, "shape", None)
    if shape is None:
        first = next(iter(X), ()) if hasattr(X, "__iter__") else ()
        return len(first) if hasattr(first, "__len__") else 0
    return shape[1] if len(shape) > 1 else 0


def _shape(X):
    shape = getattr(X, "shape", None)
    return tuple(shape) if shape is not None else np.shape(X)


class _Unreadable(Exception):
    """A value that no column can hold: what it is and where."""

    def __init__(self, what, row=None, kind=ValueError, expected=None):
        place = " in" if row is None else f" in row {row},"
        self.what, self.kind = f"{what}{place}", kind
        self.expected = expected or "expected numbers, text, truth values or dates"


def _columns(X):
    """Return a function for each column that reads it, and their names or None."""
    names = _frames.names(X)
    if _inputs.is_sparse(X):
        raise TypeError(
            "X is a sparse matrix, but raw columns are dense: use X.toarray(), or MLPClassifier and MLPRegressor without "
            "columns"
        )
    if _frames.is_arrow(X):
        return [lambda at=at: _of_arrow(X.column(at)) for at in range(len(names))], names
    if hasattr(X, "iloc") and len(X.shape) == 2:
        return [lambda at=at: _of_pandas(X.iloc[:, at]) for at in range(X.shape[1])], names
    if hasattr(X, "get_columns"):
        return [lambda series=series: _of_polars(series) for series in X.get_columns()], names
    _inputs._refuse_masked(X, "X")
    if isinstance(X, np.ndarray) and X.dtype.names is not None:
        rows = X.reshape(-1) if X.ndim == 0 else X
        if rows.ndim != 1:
            raise ValueError(f"X is a structured array of {rows.ndim} dimensions: expected one, with a record for each row")
        return [lambda name=name: _of_array(rows[name]) for name in names], names
    # A list of rows keeps the types of its cells.
    values = X if hasattr(X, "dtype") or hasattr(X, "__array__") else _rows_of(X)
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(
            f"X has {values.ndim} dimension(s), expected rows of a 2D array or a frame. Reshape your data: "
            "X.reshape(-1, 1) for a single column, X.reshape(1, -1) for a single row"
        )
    return [lambda at=at: _of_array(values[:, at]) for at in range(values.shape[1])], None


def _rows_of(X):
    """Return nested sequences as an array: of numbers if all cells are, else of objects, so that nothing becomes text."""
    values = np.asarray(X, dtype=object)
    if values.ndim == 2 and values.size and all(type(it) in (int, float, bool) for it in values.flat):
        kinds = set(map(type, values.flat))
        if bool not in kinds:
            return values.astype(np.float64)
    return values


# Each of the following returns a column of the core.


def _of_pandas(series):
    dtype = series.dtype
    if hasattr(series, "cat"):
        categories = dtype.categories.to_numpy(dtype=object, na_value=None)
        return _pick(series.cat.codes.to_numpy(), list(categories))
    if hasattr(dtype, "pyarrow_dtype"):
        import pyarrow

        return _of_arrow(pyarrow.chunked_array([series.array.__arrow_array__()]))
    if hasattr(dtype, "subtype") and hasattr(series, "sparse"):
        series, dtype = series.sparse.to_dense(), series.sparse.to_dense().dtype
    kind, name = dtype.kind, str(dtype)
    if kind == "M":
        if getattr(dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _seconds(series.to_numpy())
    if kind == "m":
        return _duration(series.to_numpy())
    if name.startswith("period"):
        return _seconds(series.dt.start_time.to_numpy())
    if name.startswith("interval"):
        return _texts_of([str(value) if value == value else None for value in series])
    if kind in "iuf":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "b":
        codes = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return _truths(codes)
    if type(dtype).__name__ == "StringDtype":
        codes, texts = series.factorize()
        return codes.astype(np.uint32), [str(text) for text in texts], False
    return _of_array(series.to_numpy())


def _of_polars(series):
    import polars

    dtype = series.dtype
    if dtype == polars.Boolean:
        return _truths(series.cast(polars.Float64).to_numpy())
    if dtype == polars.Null:
        return np.full(len(series), np.nan)
    if dtype.is_numeric():
        return np.array(series.cast(polars.Float64).fill_null(float("nan")).to_numpy())
    if dtype in (polars.Date, polars.Datetime):
        return series.dt.epoch("s").fill_null(int(_NO_TIME)).to_numpy().astype(np.int64)
    if dtype in (polars.Duration, polars.Time):
        return np.array((series.cast(polars.Int64) / _PER_SECOND[_unit(dtype)]).fill_null(float("nan")).to_numpy())
    if dtype in (polars.String, polars.Categorical, polars.Enum):
        is_chosen = dtype != polars.String
        texts = series.cast(polars.String)
        values = texts.drop_nulls().unique(maintain_order=True)
        codes = texts.cast(polars.Enum(values)).to_physical().cast(polars.UInt32)
        return codes.fill_null(int(_NO_TEXT)).to_numpy(), values.to_list(), is_chosen
    if dtype == polars.Object:
        return _of_objects(np.array(series.to_list(), dtype=object))
    raise _Unreadable(f"values of type {dtype}", kind=TypeError)


_PER_SECOND = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}


def _unit(dtype):
    # A time of day is stored in nanoseconds.
    return getattr(dtype, "time_unit", None) or "ns"


def _of_arrow(column):
    import pyarrow as pa
    import pyarrow.compute as pc

    types, kind = pa.types, column.type
    if types.is_dictionary(kind):
        column = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
        column = column.unify_dictionaries().combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0) if column.num_chunks else pa.array([], kind)
        codes = pc.fill_null(pc.cast(column.indices, pa.int64()), -1).to_numpy(zero_copy_only=False)
        return _pick(codes, column.dictionary.to_pylist())
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_boolean(kind):
        return _truths(_floats(pc.cast(column, pa.uint8())))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _floats(column)
    if types.is_date(kind) or types.is_timestamp(kind):
        # Dates of 32 bits cannot be seconds in one step.
        seconds = pc.cast(pc.cast(column, pa.timestamp("ms", tz=getattr(kind, "tz", None)), safe=False), pa.int64())
        filled = pc.fill_null(seconds, int(_NO_TIME)).to_numpy(**_copied(column))
        return np.where(filled == _NO_TIME, _NO_TIME, filled // 1000)
    if types.is_duration(kind) or types.is_time(kind):
        whole = pc.cast(column, pa.int32() if types.is_time32(kind) else pa.int64())
        return _floats(whole) / _PER_SECOND[kind.unit]
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        if str(kind) == "string_view":
            column = pc.cast(column, pa.large_string())
        codes, values, _ = _of_arrow(pc.dictionary_encode(column))
        return codes, values, False
    raise _Unreadable(f"values of type {kind}", kind=TypeError)


def _floats(column):
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(column, pa.float64(), safe=False)
    return np.array(pc.fill_null(numbers, float("nan")).to_numpy(**_copied(numbers)), dtype=np.float64)


def _copied(column):
    """Return the argument that lets an array of Arrow copy; a chunked one always does."""
    return {} if hasattr(column, "chunks") else {"zero_copy_only": False}


def _of_array(values):
    values = np.asarray(values)
    if values.ndim != 1:
        raise _Unreadable(f"cells of several values (shape {values.shape[1:]})")
    kind = values.dtype.kind
    if kind == "c":
        # Tools that check estimators look for the first words.
        raise ValueError("Complex data not supported: X is complex, expected real numbers")
    if kind in "iuf":
        return values.astype(np.float64)
    if kind == "b":
        return _truths(values.astype(np.float64))
    if kind == "M":
        return _seconds(values)
    if kind == "m":
        return _duration(values)
    if kind in "US":
        return _texts_of(values.tolist())
    return _of_objects(values)


def _seconds(times):
    """Return points in time, or gaps, as seconds since 1970."""
    # The least number is a gap in both.
    return times.astype("datetime64[s]").astype(np.int64)


def _duration(values):
    return np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s"))


def _truths(values):
    """Return truth values as text, from 0, 1 and NaN."""
    codes = np.where(np.isnan(values), 2.0**32 - 1, values).astype(np.uint32)
    return codes, ["False", "True"], False


def _texts_of(values):
    """Return text, numbers and gaps as a column of text."""
    places, codes = {None: _NO_TEXT}, np.empty(len(values), np.uint32)
    texts = []
    for row, value in enumerate(values):
        # To Python, True is 1.
        value = str(value) if isinstance(value, (bool, np.bool_)) else value
        code = places.get(value)
        if code is None:
            code = places[value] = np.uint32(len(texts))
            texts.append(_text(value))
        codes[row] = code
    return codes, texts, False


def _text(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (bool, np.bool_, str)):
        return str(value)
    if isinstance(value, (datetime.timedelta, np.timedelta64)):
        return _number_text(np.timedelta64(value) / np.timedelta64(1, "s"))
    if isinstance(value, numbers.Real):
        return _number_text(value) if isinstance(value, (float, np.floating)) else str(value)
    if isinstance(value, (datetime.date, np.datetime64)):
        return _time_text(_since_1970(value))
    return str(value)


def _number_text(value):
    """Return a number in the core's way: the fewest digits that tell it apart, no exponent."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else np.format_float_positional(value, trim="-")


def _pick(codes, categories):
    """Return categories, of which each row has the code of one; -1 is a gap."""
    codes = np.where(codes < 0, int(_NO_TEXT), codes).astype(np.uint32)
    gaps = np.array([is_gap(value) for value in categories], dtype=bool)
    if gaps.any():
        codes = np.where((codes != _NO_TEXT) & gaps[np.minimum(codes, len(gaps) - 1)], _NO_TEXT, codes)
    return codes, ["" if is_gap(value) else _text(value) for value in categories], True


def _as_category(column):
    """Return a column as a category, whatever it holds."""
    if isinstance(column, tuple):
        return column[0], column[1], True
    known, codes = np.unique(column, return_inverse=True)
    is_time = column.dtype == np.int64
    gap = known == _NO_TIME if is_time else np.isnan(known)
    text = _time_text if is_time else _number_text
    texts = ["" if none else text(value) for none, value in zip(gap, known, strict=True)]
    codes = np.where(gap[codes], _NO_TEXT, codes).astype(np.uint32)
    return codes, texts, True


def _time_text(seconds):
    text = str(np.datetime64(int(seconds), "s")) if seconds != _NO_TIME else ""
    return text.replace("T00:00:00", "").replace("T", " ")


def _of_objects(values):
    """Return a column of Python's objects by what they are."""
    cells = [None if is_gap(value) else value for value in values.tolist()]
    kinds = {type(value) for value in cells} - {type(None)}
    if not kinds:
        return np.full(len(cells), np.nan)
    if all(issubclass(kind, (bool, np.bool_)) for kind in kinds):
        return _truths(np.array([np.nan if value is None else float(value) for value in cells]))
    # A Decimal is a Number, but no Real.
    truths = any(issubclass(kind, (bool, np.bool_)) for kind in kinds)
    if not truths and all(_is_real(kind) for kind in kinds):
        return np.array([np.nan if value is None else _number(value) for value in cells], dtype=np.float64)
    if all(issubclass(kind, datetime.time) for kind in kinds):
        return np.array([np.nan if value is None else _since_midnight(value) for value in cells])
    if all(kind.__name__ == "Period" and hasattr(kind, "start_time") for kind in kinds):
        return np.array([_NO_TIME if it is None else _since_1970(it.start_time) for it in cells], dtype=np.int64)
    if all(issubclass(kind, (datetime.date, np.datetime64)) for kind in kinds):
        return np.array([_NO_TIME if value is None else _since_1970(value) for value in cells], dtype=np.int64)
    if all(issubclass(kind, (datetime.timedelta, np.timedelta64)) for kind in kinds):
        return _duration(np.array([np.timedelta64("NaT") if it is None else np.timedelta64(it) for it in cells]))
    for row, value in enumerate(cells):
        if isinstance(value, (complex, np.complexfloating)):
            raise ValueError("Complex data not supported: X is complex, expected real numbers")
        if value is not None and not isinstance(value, (str, bytes, numbers.Number, np.bool_)):
            raise _Unreadable(f"{_short(value)}, which is of type {type(value).__name__},", row, TypeError)
    return _texts_of(cells)


def _is_real(kind):
    # To NumPy, a duration is a whole number.
    is_number = issubclass(kind, numbers.Number) and not issubclass(kind, np.timedelta64)
    return is_number and (issubclass(kind, numbers.Real) or not issubclass(kind, numbers.Complex))


def _number(value):
    try:
        return float(value)
    except OverflowError:
        return np.inf


def _since_1970(value):
    """Return a date or a time of Python as seconds since 1970; one without a zone is taken as it is."""
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[s]").astype(np.int64))
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return int((value - _EPOCH) // datetime.timedelta(seconds=1))


def _since_midnight(value):
    """Return a time of day in seconds."""
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
