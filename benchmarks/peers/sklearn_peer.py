"""scikit-learn's MLPClassifier, float32: mini-batches with Adam, from memory or from a memory map; prediction."""

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

import common


class FromFile(MLPClassifier):
    """An MLPClassifier that starts from given weights instead of drawing its own."""

    layers = ()

    def _init_coef(self, fan_in, fan_out, dtype):
        for weight, bias in self.layers:
            if weight.shape == (fan_in, fan_out):
                return weight.astype(dtype), bias.astype(dtype)
        raise ValueError(f"no weights {fan_in} x {fan_out} in the file")


def classifier(options):
    layers = common.start(options.start)
    model = FromFile(
        hidden_layer_sizes=tuple(weight.shape[1] for weight, _ in layers[:-1]),
        solver="adam",
        learning_rate_init=0.001,
        alpha=0.0,
        batch_size=options.batch,
        random_state=options.seed,
    )
    model.layers = layers
    return model


def data(options):
    x_train, y_train, x_test, y_test = common.load(options.files)
    return x_train.astype(np.float32) / 255, y_train, x_test.astype(np.float32) / 255, y_test


def minibatch(options):
    x, y, x_test, y_test = data(options)
    model = classifier(options)
    # partial_fit is one epoch: shuffled, in mini-batches, with the moments of the last one.
    seconds = common.timed_epochs(
        options.epochs, lambda _: model.partial_fit(x, y, classes=np.arange(10))
    )
    return {"epoch_seconds": seconds, "test_accuracy": float(model.score(x_test, y_test))}


def memmap(options):
    """Data that stay in their file: `partial_fit` on each of its batches, in the order in which they lie."""
    images = np.memmap(options.files / "train-images.u8", np.uint8, "r").reshape(-1, 784)
    _, y, x_test, y_test = common.load(options.files)
    model = classifier(options)

    def run(_):
        for first in range(0, len(images), options.batch):
            rows = slice(first, first + options.batch)
            model.partial_fit(images[rows].astype(np.float32) / 255, y[rows], classes=np.arange(10))

    seconds = common.timed_epochs(options.epochs, run)
    accuracy = float(model.score(x_test.astype(np.float32) / 255, y_test))
    return {"epoch_seconds": seconds, "test_accuracy": accuracy}


def predict(options):
    x, y, x_test, y_test = data(options)
    model = classifier(options)
    model.partial_fit(x[:128], y[:128], classes=np.arange(10))
    for i, (weight, bias) in enumerate(model.layers):
        model.coefs_[i], model.intercepts_[i] = weight, bias
    one, many = common.prediction_times(model.predict, x_test, options.quick)
    return {
        "one_image_seconds": one,
        "images_per_second": len(x_test) / many,
        "test_accuracy": float(model.score(x_test, y_test)),
    }


if __name__ == "__main__":
    works = {"minibatch": minibatch, "memmap": memmap, "predict": predict}
    options = common.options(__doc__.splitlines()[0], works)
    common.report(**works[options.work](options), version=f"scikit-learn {sklearn.__version__}")
