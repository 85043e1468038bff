"""What the user says about the columns of a table: parameters in, the kinds of columns by position out."""

import numbers
from collections.abc import Mapping

import numpy as np

KINDS = ("number", "category", "date")


def chosen(columns, names, count):
    """Return the kinds in the parameter ``columns`` by position; None if it is None.

    Parameters
    ----------
    columns : None, 'infer' or a dict of kinds by name or position
    names : sequence of str or None
        Of the columns.
    count : int
        Of the columns.
    """
    if columns is None:
        return None
    if isinstance(columns, str) and columns == "infer":
        return {}
    if not isinstance(columns, Mapping):
        raise ValueError(
            f"columns is {columns!r}, but must be None, 'infer', or a dict such as {{'zip': 'category'}} of the kinds "
            f"{', '.join(map(repr, KINDS))}"
        )
    found = {}
    for key, kind in columns.items():
        if kind not in KINDS:
            raise ValueError(f"columns has {kind!r} for {key!r}, but a column is one of {', '.join(map(repr, KINDS))}")
        for place in _places("columns", key, names, count):
            found[place] = kind
    return found


def categorical(features, names, count):
    """Return the categories in the parameter ``categorical_features`` by position, as scikit-learn means it.

    Parameters
    ----------
    features : 'from_dtype', None, a mask, or names or positions
    """
    if features is None or (isinstance(features, str) and features == "from_dtype"):
        return {}
    name = "categorical_features"
    given = np.asarray(features, dtype=object) if isinstance(features, (list, tuple)) else np.asarray(features)
    if isinstance(features, str) or given.ndim != 1:
        raise ValueError(
            f"{name} is {features!r}, but must be 'from_dtype', None, a mask of truth values, or a sequence of names or "
            "positions"
        )
    values = given.tolist()
    if values and all(isinstance(value, (bool, np.bool_)) for value in values):
        if len(values) != count:
            raise ValueError(f"{name} set as a boolean mask should have shape (n_features,): expected {count} truth "
                             f"values, got {len(values)}")
        return {place: "category" for place, value in enumerate(values) if value}
    return {place: "category" for value in values for place in _places(name, value, names, count)}


def _places(parameter, key, names, count):
    """Return the positions of the columns of a name, or the position itself."""
    if isinstance(key, numbers.Integral) and not isinstance(key, bool):
        if not 0 <= key < count:
            raise ValueError(f"{parameter} has the position {key}, but X has {count} columns (0 to {count - 1})")
        return [int(key)]
    if names is None:
        raise ValueError(
            f"{parameter} has {key!r}, but the columns of X have no names: give positions, or a frame with names"
        )
    found = [place for place, name in enumerate(names) if name == key]
    if not found:
        raise ValueError(f"{parameter} has {key!r}, which is not a column of X: {', '.join(map(str, names[:10]))}")
    return found
