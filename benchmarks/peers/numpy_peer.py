"""NumPy: the notebook's training as it stands there or in float32, and prediction.

--dtype f64: as the notebook does it; the images stay bytes, so that each product converts them.
--dtype f32: the same formulas; images and weights are converted once, before the first epoch.
"""

import numpy as np

import common

LEARNING_RATE = 0.001


def forward(x, w1, b1, w2, b2):
    """x: 784 x samples, as in the notebook."""
    z1 = np.dot(w1.T, x) + b1
    a1 = np.maximum(0, z1)
    z2 = np.dot(w2.T, a1) + b2
    exponentials = np.exp(z2 - np.max(z2, axis=0, keepdims=True))
    a2 = exponentials / np.sum(exponentials, axis=0, keepdims=True)
    return z1, a1, a2


def epoch(x, labels, one_hot, parameters):
    """The parameters after a step, and the accuracy before it."""
    w1, b1, w2, b2 = parameters
    m = x.shape[1]
    z1, a1, a2 = forward(x, w1, b1, w2, b2)

    dz2 = a2 - one_hot
    dw2 = np.dot(a1, dz2.T) / m
    db2 = np.sum(dz2, axis=1, keepdims=True) / m
    dz1 = np.dot(w2, dz2) * (z1 > 0)
    dw1 = np.dot(x, dz1.T) / m
    db1 = np.sum(dz1, axis=1, keepdims=True) / m

    w1 = w1 - LEARNING_RATE * dw1
    b1 = b1 - LEARNING_RATE * db1
    w2 = w2 - LEARNING_RATE * dw2
    b2 = b2 - LEARNING_RATE * db2
    return (w1, b1, w2, b2), float(np.mean(np.argmax(a2, axis=0) == labels))


def notebook(options):
    x_train, y_train, x_test, y_test = common.load(options.files)
    double = options.dtype == "f64"
    dtype = np.float64 if double else np.float32
    # The notebook keeps samples as columns: the transposed view of the rows in the file.
    x = x_train.T if double else np.ascontiguousarray(x_train.T, dtype)
    (w1, b1), (w2, b2) = common.start(options.start, dtype)
    parameters = w1, b1.reshape(-1, 1), w2, b2.reshape(-1, 1)
    one_hot = np.zeros((10, len(y_train)), dtype)
    one_hot[y_train, np.arange(len(y_train))] = 1
    accuracies = []

    def run(_):
        nonlocal parameters
        parameters, accuracy = epoch(x, y_train, one_hot, parameters)
        accuracies.append(accuracy)

    seconds = common.timed_epochs(options.epochs, run)
    predicted = np.argmax(forward(x_test.T.astype(dtype), *parameters)[2], axis=0)
    common.report(
        epoch_seconds=seconds,
        train_accuracy=accuracies[-1],
        test_accuracy=float(np.mean(predicted == y_test)),
        version=f"numpy {np.__version__}",
    )


def predict(options):
    _, _, x_test, y_test = common.load(options.files)
    inputs = x_test.astype(np.float32) / 255
    (w1, b1), (w2, b2) = common.start(options.start)

    def labels(x):
        hidden = np.dot(x, w1)
        hidden += b1
        np.maximum(hidden, 0, out=hidden)
        return np.argmax(np.dot(hidden, w2) + b2, axis=1)

    one, many = common.prediction_times(labels, inputs, options.quick)
    common.report(
        one_image_seconds=one,
        images_per_second=len(inputs) / many,
        test_accuracy=float(np.mean(labels(inputs) == y_test)),
        version=f"numpy {np.__version__}",
    )


if __name__ == "__main__":
    extra = [("--dtype", {"choices": ("f64", "f32"), "default": "f32"})]
    options = common.options(__doc__.splitlines()[0], ("notebook", "predict"), extra)
    {"notebook": notebook, "predict": predict}[options.work](options)
