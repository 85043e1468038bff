"""Reference numbers for squared errors, computed in float64 by NumPy alone from a fixed seed.

    python make_values.py [FOLDER]        (FOLDER: where this file lies)

values.npz      A net 6-9-3, tanh, 20 samples: `x t weights w1 b1 w2 b2`; for each CASE of plain (every
                weight 1) and weighted, ten steps of gradient descent with the full batch and a learning
                rate of 0.3: `CASE/losses`, each before its update, and `CASE/w1 b1 w2 b2` after the last.

The loss is sum_i w_i sum_j (y_ij - t_ij)^2 / (2 m sum_i w_i) with m outputs.
"""

import sys
from pathlib import Path

import numpy as np

RATE = 0.3
STEPS = 10


def as_f32(array):
    return np.asarray(array).astype(np.float32).astype(np.float64)


def loss_and_gradients(x, t, weights, parameters):
    w1, b1, w2, b2 = parameters
    a = np.tanh(x @ w1 + b1)
    y = a @ w2 + b2
    share = (weights / weights.sum())[:, None] / t.shape[1]
    g2 = (y - t) * share
    g1 = g2 @ w2.T * (1 - a**2)
    loss = ((y - t) ** 2 * share).sum() / 2
    return loss, [x.T @ g1, g1.sum(axis=0), a.T @ g2, g2.sum(axis=0)]


def check(x, t, weights, parameters):
    """The gradients above against central differences."""
    _, gradients = loss_and_gradients(x, t, weights, parameters)
    for parameter, gradient in zip(parameters, gradients):
        for at in np.ndindex(parameter.shape):
            kept, losses = parameter[at], []
            for offset in (1e-6, -1e-6):
                parameter[at] = kept + offset
                losses.append(loss_and_gradients(x, t, weights, parameters)[0])
            parameter[at] = kept
            assert abs((losses[0] - losses[1]) / 2e-6 - gradient[at]) < 1e-8


def run(x, t, weights, parameters):
    parameters, losses = [parameter.copy() for parameter in parameters], []
    for _ in range(STEPS):
        loss, gradients = loss_and_gradients(x, t, weights, parameters)
        losses.append(loss)
        for parameter, gradient in zip(parameters, gradients):
            parameter -= RATE * gradient
    return losses, parameters


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    rng = np.random.default_rng(500)
    x = as_f32(rng.normal(size=(20, 6)))
    t = as_f32(np.stack([2 * x[:, 0] - x[:, 1], np.sin(x[:, 2]), x[:, 3] * x[:, 4]], axis=1))
    weights = as_f32(rng.uniform(0, 3, 20))
    shapes = [(6, 9), (9,), (9, 3), (3,)]
    parameters = [as_f32(rng.normal(0, 0.5, shape)) for shape in shapes]
    names = ["w1", "b1", "w2", "b2"]
    arrays = {"x": x, "t": t, "weights": weights, **dict(zip(names, parameters))}
    for case, factors in {"plain": np.ones(20), "weighted": weights}.items():
        check(x, t, factors, parameters)
        losses, after = run(x, t, factors, parameters)
        arrays[f"{case}/losses"] = losses
        arrays.update({f"{case}/{name}": value for name, value in zip(names, after)})
    arrays = {key: np.asarray(value).astype(np.float32) for key, value in arrays.items()}
    np.savez(folder / "values.npz", **arrays)
    print(f"values.npz: {len(arrays)} arrays, {(folder / 'values.npz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
