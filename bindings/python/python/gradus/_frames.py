"""Data frames of pandas, Polars and PyArrow: their columns."""


def collected(X):
    """Return X, computed if it is a LazyFrame of Polars."""
    if type(X).__name__ == "LazyFrame" and hasattr(X, "collect"):
        return X.collect()
    return X


def names(X):
    """Return the names of the columns of a frame as a list; None for anything else."""
    if is_arrow(X):
        return list(X.schema.names)
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
    return X.select(positions) if is_arrow(X) else X[:, positions]
