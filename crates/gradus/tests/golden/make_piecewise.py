"""Makes piecewise.npz: a network over mixed columns with piecewise-linear embeddings, its logits and all gradients, in float64.

Run with NumPy. The formulas are those of docs/maths.md, M28: a number becomes the part of each bin that lies below it, and the
embedding is a linear map of these parts beside a line.
"""

from pathlib import Path

import numpy as np

SAMPLES, BINS, EMBEDDED, WIDTH = 40, 5, 2, 3
SIZES = {1: 5, 4: 2}  # categories by their columns
NUMBERS = [0, 3]
rng = np.random.default_rng(12)


def single(values):
    """What single precision holds, so that both sides begin with the same numbers."""
    return np.asarray(values, np.float32).astype(np.float64)


x = single(rng.normal(0, 2, (SAMPLES, 5)))
for column, size in SIZES.items():
    x[:, column] = rng.integers(0, size + 2, SAMPLES)  # the last one is unknown
x[:, 2] = x[:, 2] > 0
labels = rng.integers(0, 3, SAMPLES)
outputs = len(NUMBERS) * EMBEDDED + 1 + len(SIZES) * WIDTH
# The second number has three bins: the last two have no width.
edges = single([[-2.5, -1.0, -0.25, 0.5, 1.0, 2.0], [-1.5, 0.125, 0.75, 2.25, 2.25, 2.25]])
p = {
    "0.edge": edges,
    "0.rise": rng.normal(0, 0.5, (2, BINS * EMBEDDED)),
    "0.slope": rng.uniform(-0.7, 0.7, (2, EMBEDDED)),
    "0.offset": rng.uniform(-0.7, 0.7, (2, EMBEDDED)),
    "0.embedding": rng.normal(0, 1, (sum(size + 1 for size in SIZES.values()), WIDTH)),
    "1.weight": rng.normal(0, 0.3, (outputs, 8)),
    "1.bias": rng.normal(0, 0.3, 8),
    "3.weight": rng.normal(0, 0.3, (8, 3)),
    "3.bias": rng.normal(0, 0.3, 3),
}
p = {name: single(values) for name, values in p.items()}
first_row = {1: 0, 4: SIZES[1] + 1}


def row_of(column, value):
    return first_row[column] + (int(value) if value <= SIZES[column] else 0)


def parts(n, value):
    """The part of each bin that lies below the value; the outer bins have no end."""
    low, high = p["0.edge"][n][:-1], p["0.edge"][n][1:]
    used = np.flatnonzero(high > low)
    found = np.zeros(BINS)
    found[used] = (value - low[used]) / (high - low)[used]
    found[used[1:]] = np.maximum(found[used[1:]], 0)
    found[used[:-1]] = np.minimum(found[used[:-1]], 1)
    return found


def embedded(row):
    """The outputs of the layer of columns for one sample."""
    found = []
    for column, value in enumerate(row):
        if column in NUMBERS:
            n = NUMBERS.index(column)
            rise = p["0.rise"][n].reshape(BINS, EMBEDDED)
            found.append(p["0.offset"][n] + p["0.slope"][n] * value + parts(n, value) @ rise)
        elif column in SIZES:
            found.append(p["0.embedding"][row_of(column, value)])
        else:
            found.append([value])
    return np.concatenate(found)


def backward(row, g, grad):
    """Adds the gradients of the layer of columns for one sample."""
    at = 0
    for column, value in enumerate(row):
        if column in NUMBERS:
            n, down = NUMBERS.index(column), g[at : at + EMBEDDED]
            grad["0.rise"][n] += np.outer(parts(n, value), down).ravel()
            grad["0.slope"][n] += value * down
            grad["0.offset"][n] += down
            at += EMBEDDED
        elif column in SIZES:
            grad["0.embedding"][row_of(column, value)] += g[at : at + WIDTH]
            at += WIDTH
        else:
            at += 1


e = np.stack([embedded(row) for row in x])
a = np.tanh(e @ p["1.weight"] + p["1.bias"])
logits = a @ p["3.weight"] + p["3.bias"]
probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
g2 = (probabilities - np.eye(3)[labels]) / SAMPLES
g1 = (g2 @ p["3.weight"].T) * (1 - a**2)
grad = {name: np.zeros_like(values) for name, values in p.items()}
grad["3.weight"], grad["3.bias"] = a.T @ g2, g2.sum(0)
grad["1.weight"], grad["1.bias"] = e.T @ g1, g1.sum(0)
for row, g in zip(x, g1 @ p["1.weight"].T):
    backward(row, g, grad)

arrays = p | {f"grad.{name}": values for name, values in grad.items()} | {"x": x, "logits": logits}
arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
np.savez(Path(__file__).parent / "piecewise.npz", labels=labels.astype(np.uint32), **arrays)
