"""Reference numbers for the losses that are sums over outputs, from scikit-learn's own losses in float64.

    python make_losses.py [FOLDER]        (FOLDER: where this file lies)

losses.npz      A net 4-7-m, tanh, 24 samples with `x weights`, targets `values` (two per sample, from 0 on; the weights of
                the targets are 1 and 3 in the cases that end with `_weighted`) and `labels` (three of 0 and 1 per sample).
                For each CASE five steps of gradient descent with the full batch at a rate of 0.1, from `CASE/start/w1 b1 w2
                b2`: `CASE/losses`, each before its update, `CASE/w1 b1 w2 b2` after the last, and `CASE/predicted`.

The loss of a sample is the weighted mean of the losses of its outputs, for labels their sum; that of the samples is their
mean, weighted by `weights`.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn._loss.loss import (
    AbsoluteError,
    HalfBinomialLoss,
    HalfPoissonLoss,
    HalfSquaredError,
    HuberLoss,
    PinballLoss,
)

RATE = 0.1
STEPS = 5
LEVELS = [0.1, 0.5, 0.9]


def as_f32(array):
    return np.asarray(array).astype(np.float32).astype(np.float64)


CASES = {
    "squared_weighted": ([HalfSquaredError()], [1, 3]),
    "poisson": ([HalfPoissonLoss()], [1, 1]),
    "poisson_weighted": ([HalfPoissonLoss()], [1, 3]),
    "huber": ([HuberLoss(delta=0.75)], [1, 1]),
    "absolute": ([AbsoluteError()], [1, 1]),
    "quantile": ([PinballLoss(quantile=level) for level in as_f32(LEVELS)], [1, 1]),
    "quantile_weighted": ([PinballLoss(quantile=level) for level in as_f32(LEVELS)], [1, 3]),
    "labels": ([HalfBinomialLoss()], [1, 1, 1]),
    "labels_weighted": ([HalfBinomialLoss()], [2, 1, 1]),
}


def terms(losses, factors, t, z, constant):
    """Mean losses and the gradient of the outputs, one loss for each output of a target."""
    found, gradient = np.zeros(len(z)), np.zeros_like(z)
    for at in range(z.shape[1]):
        loss, target = losses[at % len(losses)], np.ascontiguousarray(t[:, at // len(losses)])
        raw = np.ascontiguousarray(z[:, at])
        values, slopes = loss.loss_gradient(target, raw)
        if constant:
            values = values + loss.constant_to_optimal_zero(target)
        found += factors[at] * values
        gradient[:, at] = factors[at] * slopes
    return found, gradient


def step(case, x, t, weights, parameters):
    losses, output_weights = CASES[case]
    w1, b1, w2, b2 = parameters
    a = np.tanh(x @ w1 + b1)
    z = a @ w2 + b2
    factors = np.repeat(np.array(output_weights, dtype=float), len(losses))
    factors /= factors.sum()
    if case.startswith("labels"):
        factors *= len(factors)
    found, gradient = terms(losses, factors, t, z, constant=case.startswith("poisson"))
    share = weights / weights.sum()
    g2 = gradient * share[:, None]
    g1 = g2 @ w2.T * (1 - a**2)
    return (found * share).sum(), [x.T @ g1, g1.sum(axis=0), a.T @ g2, g2.sum(axis=0)], z


def predicted(case, z):
    if case.startswith("poisson"):
        return np.exp(z)
    if case.startswith("quantile"):
        return np.sort(z.reshape(len(z), -1, len(LEVELS)), axis=2).reshape(z.shape)
    return 1 / (1 + np.exp(-z)) if case.startswith("labels") else z


def check(case, x, t, weights, parameters):
    """The gradients above against central differences."""
    _, gradients, _ = step(case, x, t, weights, parameters)
    for parameter, gradient in zip(parameters, gradients):
        for at in np.ndindex(parameter.shape):
            before = parameter[at]
            sides = []
            for moved in (before + 1e-6, before - 1e-6):
                parameter[at] = moved
                sides.append(step(case, x, t, weights, parameters)[0])
            parameter[at] = before
            assert abs((sides[0] - sides[1]) / 2e-6 - gradient[at]) < 1e-6, (case, at)


def main(folder):
    rng = np.random.default_rng(5)
    x = as_f32(rng.normal(size=(24, 4)))
    weights = as_f32(rng.uniform(0.5, 2, 24))
    values = as_f32(rng.poisson(np.exp(0.5 * x[:, :2])) + 0.25 * rng.integers(0, 2, (24, 2)))
    labels = (x[:, :3] + rng.normal(size=(24, 3)) > 0.3).astype(float)
    found = {"x": x, "weights": weights, "values": values, "labels": labels}
    for case, (losses, output_weights) in CASES.items():
        outputs = len(losses) * len(output_weights)
        t = labels if case.startswith("labels") else values
        parameters = [rng.normal(size=(4, 7)) * 0.5, rng.normal(size=7) * 0.1]
        parameters += [rng.normal(size=(7, outputs)) * 0.5, rng.normal(size=outputs) * 0.1]
        parameters = [as_f32(it) for it in parameters]
        names = ["w1", "b1", "w2", "b2"]
        found.update({f"{case}/start/{name}": it.copy() for name, it in zip(names, parameters)})
        check(case, x, t, weights, [it.copy() for it in parameters])
        curve = []
        for _ in range(STEPS):
            loss, gradients, _ = step(case, x, t, weights, parameters)
            curve.append(loss)
            parameters = [it - RATE * gradient for it, gradient in zip(parameters, gradients)]
        found[f"{case}/losses"] = np.array(curve)
        found.update({f"{case}/{name}": it for name, it in zip(names, parameters)})
        found[f"{case}/predicted"] = predicted(case, step(case, x, t, weights, parameters)[2])
    np.savez(folder / "losses.npz", **{key: it.astype(np.float32) for key, it in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
