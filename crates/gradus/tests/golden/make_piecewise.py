"""Makes piecewise.npz: a network over mixed columns with piecewise-linear embeddings, its logits and all gradients, in float64.

Run with NumPy. A number becomes the part of each bin that lies below it, and the embedding is a linear map of these parts beside a
line.
"""

import numpy as np
from mixed_columns import make, single

BINS, EMBEDDED = 5, 2
# The second number has three bins: the last two have no width.
EDGES = single([[-2.5, -1.0, -0.25, 0.5, 1.0, 2.0], [-1.5, 0.125, 0.75, 2.25, 2.25, 2.25]])


def parts(n, value):
    """The part of each bin that lies below the value; the outer bins have no end."""
    low, high = EDGES[n][:-1], EDGES[n][1:]
    used = np.flatnonzero(high > low)
    found = np.zeros(BINS)
    found[used] = (value - low[used]) / (high - low)[used]
    found[used[1:]] = np.maximum(found[used[1:]], 0)
    found[used[:-1]] = np.minimum(found[used[:-1]], 1)
    return found


class Bins:
    """A linear map of the parts of bins, beside a line."""

    outputs = EMBEDDED

    def parameters(self, rng):
        return {
            "0.edge": EDGES,
            "0.rise": rng.normal(0, 0.5, (2, BINS * EMBEDDED)),
            "0.slope": rng.uniform(-0.7, 0.7, (2, EMBEDDED)),
            "0.offset": rng.uniform(-0.7, 0.7, (2, EMBEDDED)),
        }

    def forward(self, p, n, value):
        rise = p["0.rise"][n].reshape(BINS, EMBEDDED)
        return p["0.offset"][n] + p["0.slope"][n] * value + parts(n, value) @ rise

    def backward(self, p, n, value, down, grad):
        grad["0.rise"][n] += np.outer(parts(n, value), down).ravel()
        grad["0.slope"][n] += value * down
        grad["0.offset"][n] += down


make("piecewise.npz", Bins(), samples=40, seed=12)
