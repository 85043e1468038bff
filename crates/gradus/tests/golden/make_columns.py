"""Makes columns.npz: a network over mixed columns, its logits and all gradients, in float64. Run with NumPy."""

import numpy as np
from mixed_columns import make

FREQUENCIES, EMBEDDED = 6, 2


class Cosines:
    """A linear map of cosines of a number, and the number itself."""

    outputs = EMBEDDED + 1

    def parameters(self, rng):
        return {
            "0.frequency": rng.normal(0, 0.5, (2, FREQUENCIES)),
            "0.phase": rng.uniform(-np.pi, np.pi, (2, FREQUENCIES)),
            "0.mix": rng.uniform(-0.4, 0.4, (2, FREQUENCIES * EMBEDDED)),
            "0.mix_bias": rng.uniform(-0.4, 0.4, (2, EMBEDDED)),
        }

    def forward(self, p, n, value):
        c = np.cos(2 * np.pi * p["0.frequency"][n] * value + p["0.phase"][n])
        mixed = c @ p["0.mix"][n].reshape(FREQUENCIES, EMBEDDED) + p["0.mix_bias"][n]
        return np.concatenate([mixed, [value]])

    def backward(self, p, n, value, down, grad):
        down = down[:EMBEDDED]
        u = 2 * np.pi * p["0.frequency"][n] * value + p["0.phase"][n]
        mix = p["0.mix"][n].reshape(FREQUENCIES, EMBEDDED)
        h = -np.sin(u) * (mix @ down)
        grad["0.mix_bias"][n] += down
        grad["0.mix"][n] += np.outer(np.cos(u), down).ravel()
        grad["0.phase"][n] += h
        grad["0.frequency"][n] += 2 * np.pi * value * h


make("columns.npz", Cosines(), samples=30, seed=11)
