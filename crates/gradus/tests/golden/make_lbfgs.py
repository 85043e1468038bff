"""Makes lbfgs.npz: what SciPy's L-BFGS-B, in double precision, finds for four functions.

Run by hand with NumPy and SciPy installed: python make_lbfgs.py
"""

from pathlib import Path

import numpy as np
from scipy.optimize import minimize

# Iterates that are kept: later ones depend on rounding.
FIRST = 12

found = {}


def record(name, function, start, **options):
    """The first iterates, the minimum, and how many iterations and evaluations it took."""
    iterates, values = [], []

    def after(intermediate_result):
        iterates.append(intermediate_result.x.copy())
        values.append(intermediate_result.fun)

    options = {"maxcor": 10, "gtol": 1e-4, **options}
    done = minimize(function, start, method="L-BFGS-B", jac=True, callback=after, options=options)
    found[f"{name}/start"] = np.asarray(start, np.float32)
    found[f"{name}/iterates"] = np.asarray(iterates[:FIRST], np.float32)
    found[f"{name}/values"] = np.asarray(values[:FIRST], np.float32)
    found[f"{name}/minimum"] = np.asarray(done.x, np.float32)
    found[f"{name}/least"] = np.float32(done.fun)
    found[f"{name}/counts"] = np.asarray([done.nit, done.nfev], np.uint32)
    print(name, done.nit, done.nfev, done.fun, done.message)


def quadratic(x):
    factors = np.arange(1, len(x) + 1) ** 2 / 4
    return 0.5 * (factors * (x - 1) ** 2).sum(), factors * (x - 1)


def rosenbrock(x):
    a, b = x[0::2], x[1::2]
    gradient = np.empty_like(x)
    gradient[0::2] = -400 * a * (b - a**2) - 2 * (1 - a)
    gradient[1::2] = 200 * (b - a**2)
    return (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum(), gradient


def softmax_loss(z, labels):
    shifted = z - z.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = (np.log(total[:, 0]) - shifted[rows, labels]).mean()
    p /= total
    p[rows, labels] -= 1
    return loss, p / len(labels)


def unpacked(x, sizes):
    at = 0
    for rows, columns in zip(sizes, sizes[1:]):
        weight = x[at : at + rows * columns].reshape(rows, columns)
        at += rows * columns
        yield weight, x[at : at + columns]
        at += columns


def network(samples, labels, sizes, l2):
    """Mean cross-entropy plus l2 / 2 times the squares of the weights, of a tanh network or none hidden."""

    def objective(x):
        layers = list(unpacked(x, sizes))
        outputs = [samples]
        for index, (weight, bias) in enumerate(layers):
            z = outputs[-1] @ weight + bias
            outputs.append(z if index + 1 == len(layers) else np.tanh(z))
        loss, delta = softmax_loss(outputs[-1], labels)
        parts = []
        for index in reversed(range(len(layers))):
            weight, _ = layers[index]
            loss += l2 / 2 * (weight**2).sum()
            parts.append(np.concatenate([(outputs[index].T @ delta + l2 * weight).ravel(), delta.sum(axis=0)]))
            if index > 0:
                delta = (delta @ weight.T) * (1 - outputs[index] ** 2)
        return loss, np.concatenate(parts[::-1])

    return objective


rng = np.random.default_rng(5)
record("quadratic", quadratic, np.zeros(10))
record("rosenbrock", rosenbrock, np.tile([-1.2, 1.0], 3))
samples = rng.normal(size=(60, 5)).astype(np.float32)
labels = (samples @ rng.normal(size=(5, 3)) + 0.8 * rng.normal(size=(60, 3))).argmax(axis=1)
found["samples"], found["labels"] = samples, labels.astype(np.uint32)
record("logistic", network(samples.astype(float), labels, [5, 3], 0.01), np.zeros(18), gtol=1e-5)
sizes = [5, 8, 3]
start = rng.uniform(-0.6, 0.6, size=5 * 8 + 8 + 8 * 3 + 3).astype(np.float32)
record("network", network(samples.astype(float), labels, sizes, 0.01), start.astype(float), gtol=1e-5)
np.savez(Path(__file__).with_name("lbfgs.npz"), **found)
