"""Weights and biases from arrays: the initial ones of training, and those that replace a model's."""

import numpy as np


def parameters(arrays, widths):
    """Return weights and biases as one vector of float32, layer after layer.

    Parameters
    ----------
    arrays : sequence of array-like
        ``[w1, b1, w2, b2, ...]``: weights are inputs x outputs, biases (n,), (n, 1) or (1, n).
    widths : list of int
        Number of features, units of each hidden layer, number of outputs.
    """
    try:
        arrays = list(arrays)
    except TypeError as error:
        raise ValueError(
            f"init is {arrays!r}, but must be a string, or a sequence of arrays w1, b1, w2, b2, ..."
        ) from error
    layers = len(widths) - 1
    if len(arrays) != 2 * layers:
        raise ValueError(
            f"init has {len(arrays)} arrays, but the layers {'-'.join(map(str, widths))} need "
            f"{2 * layers}: w1, b1, w2, b2, ..."
        )
    named = {"weight": lambda at: f"w{at + 1} of init", "bias": lambda at: f"b{at + 1} of init"}
    return joined(arrays[::2], arrays[1::2], widths, **named)


def joined(weights, biases, widths, weight="coefs_[{}]".format, bias="intercepts_[{}]".format):
    """Return weights and biases, one of each for a layer, as one vector of float32.

    Parameters
    ----------
    weights, biases : sequence of array-like
        Weights are inputs x outputs, biases (n,), (n, 1) or (1, n).
    widths : list of int
        As in `parameters`.
    weight, bias : callable
        What the arrays of a layer (from 0) are called in error messages.
    """
    parts = []
    for at, (w, b) in enumerate(zip(weights, biases, strict=True)):
        parts.append(_weight(w, weight(at), *widths[at : at + 2]))
        parts.append(_bias(b, bias(at), widths[at + 1]))
    return np.concatenate(parts)


def _weight(values, name, inputs, outputs):
    values = _numbers(values, name)
    if values.shape != (inputs, outputs):
        turned = "; it is transposed" if values.shape == (outputs, inputs) else ""
        raise ValueError(
            f"{name} has shape {values.shape}, but must be {(inputs, outputs)}, inputs x outputs{turned}"
        )
    return values.ravel()


def _bias(values, name, outputs):
    values = _numbers(values, name)
    if values.shape not in ((outputs,), (outputs, 1), (1, outputs)):
        raise ValueError(
            f"{name} has shape {values.shape}, but must be ({outputs},), ({outputs}, 1) or (1, {outputs})"
        )
    return values.ravel()


def _numbers(values, name):
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different lengths, but must be an array") from error
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name} has values of type {values.dtype}, but must contain real numbers")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} has a value that is not finite in single precision")
    return values
