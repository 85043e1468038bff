"""Data frames of pandas, Polars, PyArrow and of whatever has the Arrow interface; structured arrays: their columns."""

import numpy as np


def collected(X):
    """Return X as something with columns: computed if it is a LazyFrame of Polars, read if it is a stream of Arrow, such as
    a result of DuckDB, put together if it is a list of dicts.
    """
    if type(X).__name__ == "LazyFrame" and hasattr(X, "collect"):
        return X.collect()
    if isinstance(X, list) and X and all(isinstance(row, dict) for row in X):
        return _of_records(X)
    is_frame = hasattr(X, "iloc") or hasattr(X, "get_columns") or is_arrow(X)
    if not is_frame and (hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__")):
        return _of_stream(X)
    return X


def _of_records(X):
    """Return rows that are dicts as a structured array; what a row does not have is a gap."""
    names = list(dict.fromkeys(name for row in X for name in row))
    if not all(isinstance(name, str) for name in names):
        raise TypeError("X has rows as dicts, but not all of their keys are strings")
    rows = [tuple(row.get(name) for name in names) for row in X]
    return np.array(rows, dtype=[(name, object) for name in names])


def _of_stream(X):
    """Return what has the Arrow interface as a frame of a library that reads it."""
    try:
        import pyarrow
    except ImportError:
        pass
    else:
        return pyarrow.table(X) if hasattr(X, "__arrow_c_stream__") else pyarrow.record_batch(X)
    try:
        import polars
    except ImportError:
        raise ValueError(
            f"X is a {type(X).__name__}, which has the Arrow interface: install pyarrow or polars to read it, or make a "
            "pandas frame of it"
        ) from None
    return polars.DataFrame(X)


def names(X):
    """Return the names of the columns of a frame or structured array as a list; None for anything else."""
    if is_arrow(X):
        return list(X.schema.names)
    if hasattr(X, "dtype") and getattr(X.dtype, "names", None) is not None:
        return list(X.dtype.names)
    columns = getattr(X, "columns", None)
    return None if columns is None else list(columns)


def types(X):
    """Return the types of the columns of a frame; none for anything else."""
    return X.schema.types if is_arrow(X) else getattr(X, "dtypes", ())


def first_date(X):
    """Return the position of the first column of dates, times or durations; None where there is none."""
    for position, kind in enumerate(types(X)):
        # Polars and PyArrow would turn them into numbers of days without a word.
        if str(kind).lower().startswith(("date", "time", "duration", "period")):
            return position
    return None


def is_arrow(X):
    """Return whether X is a table or record batch of PyArrow, whose ``columns`` are the columns themselves."""
    return hasattr(X, "schema") and hasattr(X, "column") and hasattr(X.schema, "names")


def take(X, positions):
    """Return a frame of the columns at these positions."""
    if hasattr(X, "iloc"):
        return X.iloc[:, positions]
    if hasattr(X, "dtype"):
        return X[[X.dtype.names[at] for at in positions]]
    return X.select(positions) if is_arrow(X) else X[:, positions]
