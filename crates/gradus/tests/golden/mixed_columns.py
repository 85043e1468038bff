"""A small network over mixed columns: its logits and all gradients in float64, one sample at a time, written to an .npz file.

`make_columns.py` and `make_piecewise.py` give what they differ in, how a number is embedded. The formulas are those of
docs/maths.md, M28. Needs NumPy.
"""

from pathlib import Path

import numpy as np

WIDTH = 3
SIZES = {1: 5, 4: 2}  # categories by their columns
NUMBERS = [0, 3]
FIRST_ROW = {1: 0, 4: SIZES[1] + 1}


def single(values):
    """What single precision holds, so that both sides begin with the same numbers."""
    return np.asarray(values, np.float32).astype(np.float64)


def _row_of(column, value):
    return FIRST_ROW[column] + (int(value) if value <= SIZES[column] else 0)


def make(name, embedding, samples, seed):
    """Writes the network and what it computes to the .npz file of this name.

    `embedding` says how a number is embedded: `outputs` how many there are of each; `parameters(rng)` draws the tensors, a row for
    each number; `forward(p, n, value)` has the outputs of number `n` of a sample; `backward(p, n, value, down, grad)` adds the
    gradients of the tensors, given that of the outputs.
    """
    rng = np.random.default_rng(seed)
    x = single(rng.normal(0, 2, (samples, 5)))
    for column, size in SIZES.items():
        x[:, column] = rng.integers(0, size + 2, samples)  # the last one is unknown
    x[:, 2] = x[:, 2] > 0
    labels = rng.integers(0, 3, samples)
    outputs = len(NUMBERS) * embedding.outputs + 1 + len(SIZES) * WIDTH
    p = embedding.parameters(rng) | {
        "0.embedding": rng.normal(0, 1, (sum(size + 1 for size in SIZES.values()), WIDTH)),
        "1.weight": rng.normal(0, 0.3, (outputs, 8)),
        "1.bias": rng.normal(0, 0.3, 8),
        "3.weight": rng.normal(0, 0.3, (8, 3)),
        "3.bias": rng.normal(0, 0.3, 3),
    }
    p = {key: single(values) for key, values in p.items()}
    e = np.stack([_embedded(embedding, p, row) for row in x])
    a = np.tanh(e @ p["1.weight"] + p["1.bias"])
    logits = a @ p["3.weight"] + p["3.bias"]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    g2 = (probabilities - np.eye(3)[labels]) / samples
    g1 = (g2 @ p["3.weight"].T) * (1 - a**2)
    grad = {key: np.zeros_like(values) for key, values in p.items()}
    grad["3.weight"], grad["3.bias"] = a.T @ g2, g2.sum(0)
    grad["1.weight"], grad["1.bias"] = e.T @ g1, g1.sum(0)
    for row, g in zip(x, g1 @ p["1.weight"].T):
        _backward(embedding, p, row, g, grad)
    arrays = p | {f"grad.{key}": values for key, values in grad.items()} | {"x": x, "logits": logits}
    arrays = {key: values.astype(np.float32) for key, values in arrays.items()}
    np.savez(Path(__file__).parent / name, labels=labels.astype(np.uint32), **arrays)


def _embedded(embedding, p, row):
    """The outputs of the layer of columns for one sample."""
    found = []
    for column, value in enumerate(row):
        if column in NUMBERS:
            found.append(embedding.forward(p, NUMBERS.index(column), value))
        elif column in SIZES:
            found.append(p["0.embedding"][_row_of(column, value)])
        else:
            found.append([value])
    return np.concatenate(found)


def _backward(embedding, p, row, g, grad):
    """Adds the gradients of the layer of columns for one sample."""
    at = 0
    for column, value in enumerate(row):
        if column in NUMBERS:
            embedding.backward(p, NUMBERS.index(column), value, g[at : at + embedding.outputs], grad)
            at += embedding.outputs
        elif column in SIZES:
            grad["0.embedding"][_row_of(column, value)] += g[at : at + WIDTH]
            at += WIDTH
        else:
            at += 1
