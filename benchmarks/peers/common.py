"""What the Python peers share: their options, the prepared files as arrays, the closing JSON line.

    python PEER.py WORK --files FOLDER [options]

notebook   784-128-10, raw pixels 0..255, full batch, plain gradient descent at 0.001; an epoch
           holds the pass, its accuracy, the gradients and the update.
minibatch  --layers, pixels / 255, Adam at 0.001, --batch samples a step, a new order every epoch.
predict    --start holds a trained network; one image at a time, and 10,000 at once, from inputs
           that are float32 and scaled already.

All start from the weights in --start. A peer reports every epoch it ran; which of them count is
decided in one place, for all trainers alike (harness/figures.py).
"""

import argparse
import json
import time
from pathlib import Path


def options(description, works, extra=()):
    """The command line, parsed; `extra` holds (flag, settings) of the peer's own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("work", choices=works)
    parser.add_argument("--files", required=True, type=Path, help="folder written by prepare.py")
    parser.add_argument("--start", required=True, type=Path, help=".npz with w1, b1, w2, b2, ...")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions of predictions")
    for flag, settings in extra:
        parser.add_argument(flag, **settings)
    return parser.parse_args()


def load(folder):
    """(x_train, y_train, x_test, y_test): images uint8 [samples x 784], labels int64."""
    import numpy as np  # late: some peers must set something up before it is loaded

    def part(name):
        images = np.fromfile(folder / f"{name}-images.u8", np.uint8).reshape(-1, 784)
        return images, np.fromfile(folder / f"{name}-labels.u8", np.uint8).astype(np.int64)

    return *part("train"), *part("test")


def start(path, dtype="float32"):
    """[(weight [in x out], bias [out]), ...] from an .npz with w1, b1, w2, b2, ..."""
    import numpy as np

    with np.load(path) as arrays:
        count = sum(name.startswith("w") for name in arrays)
        return [
            (arrays[f"w{i}"].astype(dtype), arrays[f"b{i}"].astype(dtype).reshape(-1))
            for i in range(1, count + 1)
        ]


def timed_epochs(epochs, run):
    """Seconds of each call of `run(epoch)`."""
    seconds = []
    for epoch in range(epochs):
        began = time.perf_counter()
        run(epoch)
        seconds.append(time.perf_counter() - began)
    return seconds


def prediction_times(predict, inputs, quick=False):
    """(seconds for one image, seconds for all of `inputs`), warm: medians of many calls.

    `predict` takes rows and returns their labels as an array that is ready to be read.
    """
    import statistics

    def median(calls):
        seconds = []
        for argument in calls:
            began = time.perf_counter()
            predict(argument)
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)

    singles = [inputs[i : i + 1] for i in range(300 if quick else 3000)]
    median(singles[:200])
    one = median(singles)
    median([inputs] * 3)
    return one, median([inputs] * (5 if quick else 40))


def report(**facts):
    """The result, as the last line of standard output."""
    print(json.dumps(facts), flush=True)
