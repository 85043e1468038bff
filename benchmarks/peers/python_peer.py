"""The Python package and scikit-learn's MLPClassifier on the same work: one of them, once.

Prints one line of JSON. Loading, and for fits the first call of each library, do not count.
"""

import argparse
import json
import statistics
import time

import numpy as np

ROWS = 1000


def classifier(options, **settings):
    """The estimator that is measured: the same settings by the same names."""
    settings = {"random_state": options.seed, "tol": 0.0, **settings}
    if options.who == "gradus":
        from gradus import MLPClassifier

        return MLPClassifier(**settings, n_iter_no_change=None, n_jobs=options.threads)
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(**settings, n_iter_no_change=10**6)


def mnist(kind):
    """MNIST as bytes, or as float32 in 0..1."""
    from gradus import datasets

    (x, y), (x_test, y_test) = datasets.load_mnist(download=False)
    x, x_test = x.reshape(-1, 784), x_test.reshape(-1, 784)
    if kind == "float32":
        x, x_test = (values.astype(np.float32) / np.float32(255) for values in (x, x_test))
    return x, y, x_test, y_test


def fit(options, kind="float32"):
    """60,000 x 784, hidden 128, batch 200, Adam."""
    x, y, x_test, y_test = mnist(kind)
    more = {"normalization": "unit"} if kind == "bytes" else {}
    warm = classifier(options, hidden_layer_sizes=(8,), max_iter=1, **more)
    timed(lambda: warm.fit(x[:400], y[:400]))
    model = classifier(
        options, hidden_layer_sizes=(128,), batch_size=200, max_iter=options.epochs, **more
    )
    seconds = timed(lambda: model.fit(x, y))
    return {"seconds": seconds, "test_accuracy": float(model.score(x_test, y_test))}


def small(options):
    """1,000 x 20 in three classes; the median of several fits."""
    random = np.random.RandomState(0)
    y = np.arange(2 * ROWS) % 3
    x = random.normal(size=(2 * ROWS, 20)) + 1.5 * random.normal(size=(3, 20))[y]
    x = x.astype(np.float32)

    def one():
        model = classifier(options, max_iter=options.epochs)
        return timed(lambda: model.fit(x[:ROWS], y[:ROWS])), model.score(x[ROWS:], y[ROWS:])

    one()
    runs = [one() for _ in range(5)]
    return {
        "seconds": statistics.median(seconds for seconds, _ in runs),
        "test_accuracy": float(runs[0][1]),
    }


def predict(options, kind="float32"):
    """One row at a time: the median over passes of the mean time of a call."""
    x, y, x_test, y_test = mnist(kind)
    more = {"normalization": "unit"} if kind == "bytes" else {}
    model = classifier(options, hidden_layer_sizes=(128,), max_iter=1, **more).fit(x[:2000], y[:2000])
    rows = [x_test[at : at + 1] for at in range(ROWS)]

    def all_rows():
        for row in rows:
            model.predict(row)

    all_rows()
    return {
        "seconds": statistics.median(timed(all_rows) for _ in range(9)) / ROWS,
        "test_accuracy": float(model.score(x_test, y_test)),
    }


def imported(options):
    """Importing the package, NumPy being there."""
    begin = time.perf_counter()
    if options.who == "gradus":
        import gradus  # noqa: F401
    else:
        import sklearn.neural_network  # noqa: F401
    return {"seconds": time.perf_counter() - begin}


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


WORKS = {
    "fit": fit,
    "fit-bytes": lambda options: fit(options, "bytes"),
    "small": small,
    "predict": predict,
    "predict-bytes": lambda options: predict(options, "bytes"),
    "import": imported,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("who", choices=["gradus", "scikit-learn"])
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(WORKS[options.work](options)))
