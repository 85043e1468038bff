"""Reference numbers for the parts of the recipe for tables, computed in float64 by plain NumPy loops.

    python make_recipe.py [FOLDER]        (needs NumPy; FOLDER: where this file lies)

recipe.npz      `x` (60 x 7) `labels`, `V1 c1 V2 c2 V3 c3`: the network 7-11-6-4 with Mish that training begins with, and for
                each CASE of CASES `CASE/losses` (one for each of 24 steps with all samples, before the update) and
                `CASE/V1 ... c3` (after them). The loop trains W in z = x W / sqrt(inputs) + c; V = W / sqrt(inputs).
"""

import sys
from pathlib import Path

import numpy as np

SIZES = (7, 11, 6, 4)
STEPS = 24


def coslog4(t):
    return 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * t)))


def flat_cosine(t):
    return 1.0 if t < 0.5 else 0.5 * (1 + np.cos(np.pi * (2 * t - 1)))


def mish(z):
    gate = np.tanh(np.log1p(np.exp(z)))
    return z * gate, gate + z / (1 + np.exp(-z)) * (1 - gate**2)


def loss_and_gradients(x, labels, smoothing, weights, biases):
    """Mean cross-entropy with smoothed targets, and its gradients with respect to W and b."""
    inputs, slopes = [x], []
    for layer, (W, b) in enumerate(zip(weights, biases)):
        z = inputs[-1] @ W / np.sqrt(len(W)) + b
        if layer < len(weights) - 1:
            value, slope = mish(z)
            inputs.append(value)
            slopes.append(slope)
    shifted = z - z.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    classes = z.shape[1]
    targets = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    loss = -(targets * logs).sum(axis=1).mean()
    grad = (np.exp(logs) - targets) / len(x)
    of_weights, of_biases = [], []
    for layer in reversed(range(len(weights))):
        root = np.sqrt(len(weights[layer]))
        of_weights.insert(0, inputs[layer].T @ grad / root)
        of_biases.insert(0, grad.sum(axis=0))
        if layer > 0:
            grad = grad @ weights[layer].T / root * slopes[layer - 1]
    return loss, of_weights, of_biases


class Adam:
    def __init__(self, beta1=0.9, beta2=0.95, epsilon=1e-8):
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.means, self.squares, self.count = {}, {}, 0

    def direction(self, key, grad):
        m = self.means[key] = self.beta1 * self.means.get(key, 0) + (1 - self.beta1) * grad
        v = self.squares[key] = self.beta2 * self.squares.get(key, 0) + (1 - self.beta2) * grad**2
        m, v = m / (1 - self.beta1**self.count), v / (1 - self.beta2**self.count)
        return m / (np.sqrt(v) + self.epsilon)


class Sgd:
    count = 0

    def direction(self, key, grad):
        return grad


# Optimizer, learning rate, factor for biases, decoupled weight decay of W, which follows flat_cosine; label smoothing.
CASES = {
    "adam": (Adam, 0.04, 0.1, 0.0, 0.1),
    "adamw": (Adam, 0.02, 0.1, 0.5, 0.0),
    "sgd": (Sgd, 0.5, 0.25, 0.0, 0.0),
}


def train(x, labels, weights, biases, case):
    optimizer, rate, bias_rate, decay, smoothing = case
    optimizer, weights, biases, losses = optimizer(), [*weights], [*biases], []
    for step in range(STEPS):
        t = step / STEPS
        loss, of_weights, of_biases = loss_and_gradients(x, labels, smoothing, weights, biases)
        losses.append(loss)
        optimizer.count += 1
        now = rate * coslog4(t)
        for layer in range(len(weights)):
            shrink = 1 - now * decay * flat_cosine(t)
            direction = optimizer.direction(("W", layer), of_weights[layer])
            weights[layer] = shrink * weights[layer] - now * direction
            direction = optimizer.direction(("b", layer), of_biases[layer])
            biases[layer] = biases[layer] - now * bias_rate * direction
    return losses, weights, biases


def stored(weights, biases):
    for layer, (W, b) in enumerate(zip(weights, biases), start=1):
        yield f"V{layer}", W / np.sqrt(len(W))
        yield f"c{layer}", b


def main():
    rng = np.random.default_rng(41)
    x = rng.normal(0, 1, (60, SIZES[0])).astype(np.float32).astype(np.float64)
    labels = rng.integers(0, SIZES[-1], 60)
    weights, biases = [], []
    for inputs, outputs in zip(SIZES, SIZES[1:]):
        # As the reader of the file has them: V in float32.
        V = (rng.normal(0, 1, (inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        weights.append(V.astype(np.float64) * np.sqrt(inputs))
        biases.append(rng.normal(0, 1, outputs).astype(np.float32).astype(np.float64))
    arrays = {"x": x, "labels": labels.astype(np.uint32), **dict(stored(weights, biases))}
    for name, case in CASES.items():
        losses, *trained = train(x, labels, weights, biases, case)
        arrays[f"{name}/losses"] = np.array(losses)
        arrays.update({f"{name}/{key}": value for key, value in stored(*trained)})
    single = {key: value if value.dtype == np.uint32 else value.astype(np.float32) for key, value in arrays.items()}
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    np.savez(folder / "recipe.npz", **single)


if __name__ == "__main__":
    main()
