"""Reference numbers for activations with strengths, computed in float64 by plain NumPy formulas (docs/maths.md M3).

    python make_parametric.py        (needs NumPy)

parametric.npz  `x` (30 x 6), `labels`; for SELU and Mish `NAME/0.weight`, `NAME/0.bias`, `NAME/1.strength`, ...: a network
                6-9-7-3 with strengths; `NAME/logits`, and `NAME/grad.0.weight`, ...: the gradients of the mean cross-entropy.
                SELU and Mish, and their derivatives, are PyTorch's: max(0, z) + min(0, alpha (e^z - 1)), times its scale, and
                z tanh(softplus(z)).
"""

from pathlib import Path

import numpy as np

SIZES, SAMPLES = (6, 9, 7, 3), 30
SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(z):
    return SCALE * (np.maximum(0, z) + np.minimum(0, ALPHA * np.expm1(z))), SCALE * np.where(z > 0, 1, ALPHA * np.exp(z))


def mish(z):
    gate = np.tanh(np.log1p(np.exp(z)))
    return z * gate, gate + z / (1 + np.exp(-z)) * (1 - gate**2)


def single(values):
    return values.astype(np.float32).astype(np.float64)


rng = np.random.default_rng(31)
x, labels = single(rng.normal(0, 1.5, (SAMPLES, SIZES[0]))), rng.integers(0, SIZES[-1], SAMPLES)
arrays = {"x": x, "labels": labels.astype(np.uint32)}
for name, activation in (("selu", selu), ("mish", mish)):
    p = {}
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        p[f"{2 * layer}.weight"] = rng.normal(0, 0.6, (inputs, outputs))
        p[f"{2 * layer}.bias"] = rng.normal(0, 0.3, outputs)
        if layer < len(SIZES) - 2:
            p[f"{2 * layer + 1}.strength"] = rng.uniform(-0.5, 1.8, outputs)
    p = {key: single(values) for key, values in p.items()}
    inputs, kept = [x], []
    for layer in range(len(SIZES) - 1):
        z = inputs[-1] @ p[f"{2 * layer}.weight"] + p[f"{2 * layer}.bias"]
        if layer < len(SIZES) - 2:
            (f, slope), s = activation(z), p[f"{2 * layer + 1}.strength"]
            inputs.append(z + s * (f - z))
            kept.append((f - z, 1 + s * (slope - 1)))
    probabilities = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    g, grad = (probabilities - np.eye(SIZES[-1])[labels]) / SAMPLES, {}
    for layer in reversed(range(len(SIZES) - 1)):
        grad[f"{2 * layer}.weight"], grad[f"{2 * layer}.bias"] = inputs[layer].T @ g, g.sum(0)
        if layer > 0:
            g = g @ p[f"{2 * layer}.weight"].T
            change, slope = kept[layer - 1]
            grad[f"{2 * layer - 1}.strength"] = (g * change).sum(0)
            g = g * slope
    found = p | {f"grad.{key}": values for key, values in grad.items()} | {"logits": z}
    arrays |= {f"{name}/{key}": values.astype(np.float32) for key, values in found.items()}
arrays["x"] = x.astype(np.float32)
np.savez(Path(__file__).parent / "parametric.npz", **arrays)
