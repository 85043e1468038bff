#!/usr/bin/env python3
"""Compares the speed of two versions of the program, in alternating runs, and checks that their results agree.

    python3 benchmarks/speed_pairs.py OLD_PROGRAM NEW_PROGRAM
    python3 benchmarks/speed_pairs.py OLD_PROGRAM NEW_PROGRAM --only notebook,small --rounds 15

In each round, the two programs run directly after each other, and the order alternates from round to round. The
table shows each program's time and accuracy, and the median, minimum and maximum over the rounds of the ratio
new / old. It also shows whether both programs trained the same model, bit for bit, in every round. The work:

    notebook   an epoch of the preset notebook: 60,000 x 784-128-10, full batch
    small      an epoch of 784-128-10 in mini-batches of 128, Adam
    large      an epoch of 784-1024-1024-10 in mini-batches of 128 (469 steps), Adam
    train      `gradus train` with the preset quick, from process start to exit
    predict    `gradus predict` on one image, from process start to exit
    bench      `gradus bench`: one image, and all test images, without process start and loading (at most 3 rounds)

Needs Linux, Python 3.11 and MNIST (--data, else $GRADUS_DATA/mnist, else `gradus fetch mnist`), and a machine that
does nothing else. With --most RATIO, the exit status is 1 if any median ratio is greater.
"""

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bits import files
from bits.inputs import save_png
from harness import figures, machine, setup, tables, works
from harness.setup import Failed, Place, say

LIMIT_SECONDS = 300
# A process of a few milliseconds is run several times per round; the median counts.
SHORT_RUNS = 20
# `gradus bench` trains for minutes before it comes to predictions.
BENCH_ROUNDS = 3


@dataclass
class Row:
    """One row of the table."""

    title: str
    # The figure to compare, the unit to print it in, and the factor from the figure to that unit.
    key: str
    unit: str = "s"
    scale: float = 1.0
    # A rate grows when the time shrinks: the ratio is inverted, so that above 1 always means slower.
    rate: bool = False


EPOCH = "seconds"
WORKS = {
    "notebook": [Row("notebook, full batch, epoch", EPOCH)],
    "small": [Row("784-128-10, batches of 128, epoch", EPOCH)],
    "large": [Row("784-1024-1024-10, batches of 128, epoch", EPOCH)],
    "train": [Row("train, preset quick, start to exit", "wall_seconds")],
    "predict": [Row("predict one image, start to exit", "wall_seconds", "ms", 1e3)],
    "bench": [
        Row("bench: predict one image", "one_image_seconds", "us", 1e6),
        Row("bench: predict all test images", "images_per_second", "images/s", rate=True),
    ],
}


def main():
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="speed-pairs-") as folder:
        try:
            places = set_up(args, Path(folder))
            results = {name: measure(name, places, args) for name in args.only}
        except Failed as failure:
            sys.exit(f"error: {failure}")
    for name, value in machine.describe(args.threads).items():
        print(f"- {name}: {value}")
    for side, place in places.items():
        print(f"- {side}: {machine.first_line(place.gradus, '--version')}, {place.gradus}")
    print(f"- rounds: {args.rounds}, in turns; medians, with minimum and maximum in parentheses\n")
    rows, worst = [], 0.0
    for name, rounds in results.items():
        for row in WORKS[name]:
            cells, ratio = line(row, rounds)
            rows.append(cells)
            worst = max(worst, ratio)
    header = ["work", "old", "new", "new / old, time", "accuracy, old", "new", "same model"]
    print(tables.markdown(header, rows))
    return 1 if args.most is not None and worst > args.most else 0


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path, help="the program to compare with")
    parser.add_argument("new", type=Path, help="the program with the change")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--only", default=",".join(WORKS), metavar="WORK,...", help="some of the work")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="MNIST's four files")
    parser.add_argument("--most", type=float, metavar="RATIO", help="exit with 1 if a median ratio is greater, such as 1.02")
    parser.add_argument("--quick", action="store_true", help="a smoke test: one round, few epochs")
    args = parser.parse_args()
    args.only = args.only.split(",")
    if unknown := [name for name in args.only if name not in WORKS]:
        parser.error(f"--only: no work {', '.join(unknown)}; there are {', '.join(WORKS)}")
    if args.rounds < 1 or not 1 <= args.threads <= len(os.sched_getaffinity(0)):
        parser.error("--rounds is at least 1, --threads between 1 and the number of cores")
    if args.quick:
        args.rounds = 1
    return args


def set_up(args, folder):
    """A place for each program, with the image and, if needed, the model to predict with."""
    data = args.data
    if data is None and os.environ.get("GRADUS_DATA"):
        data = Path(os.environ["GRADUS_DATA"]) / "mnist"
    data = setup.find_data(data if data and data.is_dir() else args.data, args.old.resolve())
    places = {}
    for side, program in (("old", args.old), ("new", args.new)):
        place = Place(data, folder / side, Path(sys.executable), program.resolve(), folder, args.threads)
        setup.link_data(place)
        save_png(place.folder / "image.png", 28, 28, image(), colour=False)
        places[side] = place
        if {"predict", "bench"} & set(args.only):
            say(f"{side}: training the model to predict with ...")
            outcome = place.run(train(place, ["--epochs", 1]), LIMIT_SECONDS)
            if outcome.error:
                raise Failed(f"{side}: {outcome.error}")
            trained(place).rename(place.folder / "predict.safetensors")
            (place.folder / "accuracy").write_text(str(outcome.lines[-1]["test_accuracy"]))
    return places


def image():
    """The digit 1, light on dark."""
    return bytearray(255 if 12 <= index % 28 <= 14 and 4 <= index // 28 <= 23 else 0 for index in range(784))


def train(place, options):
    return works.gradus_train(place, options)


def trained(place):
    """Where `train` writes its model."""
    return place.folder / "model.safetensors"


# Measuring.


def measure(name, places, args):
    """The rounds of one piece of work: side -> figures of each round."""
    rounds = {side: [] for side in places}
    for number in range(min(args.rounds, BENCH_ROUNDS) if name == "bench" else args.rounds):
        # The first of a pair may find a cooler processor or a colder cache, so the order alternates.
        for side in sorted(places, reverse=number % 2 == 0):
            found = once(name, places[side], args.quick)
            rounds[side].append(found)
            row = WORKS[name][0]
            say(f"{name}, round {number + 1}, {side}: {tables.number(found[row.key] * row.scale)} {row.unit}")
    return rounds


def once(name, place, quick):
    """The figures of one run, with the model's digest under `model` where one was trained."""
    if name == "predict":
        return predict_one(place, quick)
    if name == "bench":
        accuracy = float((place.folder / "accuracy").read_text())
        return figures.of_bench(run(place, place.bench), "784-128-10", accuracy)
    command, read = {
        "notebook": epochs(place, ["--preset", "notebook", "--epochs", 3 if quick else 20], 2),
        "small": epochs(place, works.adam_recipe([128], 2 if quick else 6), 1),
        "large": epochs(place, works.adam_recipe([1024, 1024], 1), 0),
        "train": (train(place, []), figures.of_whole_run),
    }[name]
    found = read(run(place, command))
    tensors, _ = files.safetensors(trained(place))
    return found | {"model": files.tensors_digest(tensors)}


def epochs(place, options, warm_up):
    return train(place, options), lambda outcome: figures.of_epochs(outcome, warm_up)


def predict_one(place, quick):
    command = [place.gradus, "predict", "--json", "--threads", place.threads]
    command += [place.folder / "predict.safetensors", place.folder / "image.png"]
    outcomes = [run(place, command) for _ in range(2 if quick else SHORT_RUNS)]
    return {
        "wall_seconds": statistics.median(outcome.wall_seconds for outcome in outcomes),
        "test_accuracy": float((place.folder / "accuracy").read_text()),
        # Compared between the programs, like the digest of a trained model.
        "model": str(outcomes[-1].lines[-1]["probabilities"]),
    }


def run(place, command):
    outcome = place.run(command, LIMIT_SECONDS)
    if outcome.error:
        raise Failed(f"{place.gradus}: {' '.join(map(str, command[1:]))}: {outcome.error}")
    return outcome


def line(row, rounds):
    """The cells of a row of the table, and the median ratio."""
    old, new = rounds["old"], rounds["new"]
    pairs = figures.ratios(old, new, row.key) if row.rate else figures.ratios(new, old, row.key)
    cells = [f"{row.title}, {row.unit}"]
    cells += [tables.with_spread(figures.column(side, row.key), row.scale) for side in (old, new)]
    median, lowest, highest = figures.spread(pairs)
    cells.append(f"{median:.3f} ({lowest:.3f} - {highest:.3f})")
    cells += [tables.percent(side[-1]["test_accuracy"]) for side in (old, new)]
    digests = {run_figures.get("model") for run_figures in old + new}
    cells.append("-" if None in digests else "yes" if len(digests) == 1 else "no")
    return cells, median


if __name__ == "__main__":
    sys.exit(main())
