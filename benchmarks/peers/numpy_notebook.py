"""The notebook's training in NumPy, timed: 784-128-10, ReLU, softmax, full batch, rate 0.001.

    python numpy_notebook.py --data FOLDER [--epochs 20] [--threads 2] [--dtype f64|f32] [--seed 0]

f64: as the notebook does it; the images stay bytes, so that each product converts them anew.
f32: the same formulas, images and parameters converted to float32 once before the first epoch.
Prints one JSON line. An epoch holds the pass, its accuracy, the gradients and the update.
Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE before measuring; what is set is in the output.
"""

import argparse
import os
import time

import mnist

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", required=True, help="folder of MNIST's four .gz files")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--dtype", choices=("f64", "f32"), default="f64")
parser.add_argument("--seed", type=int, default=0)


def start(np, seed, dtype):
    """w1, b1, w2, b2: weights N(0, 0.01^2) [in x out], biases zero, one column each."""
    rng = np.random.default_rng(seed)
    shapes = (784, 128), (128, 10)
    parameters = []
    for inputs, outputs in shapes:
        parameters.append((rng.standard_normal((inputs, outputs)) * 0.01).astype(dtype))
        parameters.append(np.zeros((outputs, 1), dtype))
    return parameters


def forward(np, x, w1, b1, w2, b2):
    z1 = np.dot(w1.T, x) + b1
    a1 = np.maximum(0, z1)
    z2 = np.dot(w2.T, a1) + b2
    exponentials = np.exp(z2 - np.max(z2, axis=0, keepdims=True))
    a2 = exponentials / np.sum(exponentials, axis=0, keepdims=True)
    return z1, a1, a2


def train(np, x, labels, parameters, epochs, learning_rate=0.001):
    """x: 784 x samples. Returns the parameters, each epoch's accuracy and seconds."""
    w1, b1, w2, b2 = parameters
    m = x.shape[1]
    one_hot = np.zeros((10, m), w1.dtype)
    one_hot[labels, np.arange(m)] = 1
    accuracies, seconds = [], []
    for _ in range(epochs):
        began = time.perf_counter()
        z1, a1, a2 = forward(np, x, w1, b1, w2, b2)

        dz2 = a2 - one_hot
        dw2 = np.dot(a1, dz2.T) / m
        db2 = np.sum(dz2, axis=1, keepdims=True) / m
        dz1 = np.dot(w2, dz2) * (z1 > 0)
        dw1 = np.dot(x, dz1.T) / m
        db1 = np.sum(dz1, axis=1, keepdims=True) / m

        w1 = w1 - learning_rate * dw1
        b1 = b1 - learning_rate * db1
        w2 = w2 - learning_rate * dw2
        b2 = b2 - learning_rate * db2

        accuracies.append(float(np.mean(np.argmax(a2, axis=0) == labels)))
        seconds.append(time.perf_counter() - began)
    return (w1, b1, w2, b2), accuracies, seconds


def main():
    options = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    import numpy as np  # only now: the library reads the number of threads when it is loaded

    x_train, y_train, x_test, y_test = mnist.load(options.data)
    dtype = np.float64 if options.dtype == "f64" else np.float32
    # The notebook keeps samples as columns; for f64 they stay bytes, and each product converts them.
    x = np.ascontiguousarray(x_train.T, dtype=np.uint8 if options.dtype == "f64" else dtype)
    parameters = start(np, options.seed, dtype)
    parameters, accuracies, seconds = train(np, x, y_train, parameters, options.epochs)
    predicted = np.argmax(forward(np, x_test.T.astype(dtype), *parameters)[2], axis=0)
    mnist.report(
        seconds,
        trainer="numpy",
        work="notebook",
        dtype=options.dtype,
        threads=options.threads,
        train_accuracy=accuracies[-1],
        test_accuracy=float(np.mean(predicted == y_test)),
        numpy=np.__version__,
    )


if __name__ == "__main__":
    main()
