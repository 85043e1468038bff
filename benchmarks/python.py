#!/usr/bin/env python3
"""Compares the Python package with scikit-learn's MLPClassifier, in turns, with the same threads.

    python3 benchmarks/python.py                       everything, three rounds
    python3 benchmarks/python.py --epochs 2 --rounds 1 a smoke run
    python3 benchmarks/python.py --only fit,predict
    python3 benchmarks/python.py --write               also into benchmarks/results/python-DATE.md

Needs Rust and MNIST (--data FOLDER, or where `gradus fetch mnist` leaves it). It makes a virtual
environment in target/benchmarks/python, builds the wheel and installs both there; --python names an
interpreter that has gradus and scikit-learn already. A round runs each side once, in a process of its own;
a ratio is the median over the rounds of scikit-learn's time by gradus's of the same round.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine, process

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / "benchmarks/peers/python_peer.py"

# Work -> what it is, gradus's and scikit-learn's part, whether it takes epochs, the goal: a ratio or
# the most seconds.
WORKS = {
    "fit": ("fit 60,000 x 784 float32, hidden 128, batch 200, Adam", "fit", "fit", True, "8x"),
    "bytes": ("the same from uint8", "fit-bytes", "fit", True, "10x"),
    "small": ("fit 1,000 x 20, hidden 100, batch 200, Adam", "small", "small", True, "1x"),
    "predict": ("predict one row of 784 float32", "predict", "predict", False, 30e-6),
    "predict-bytes": ("predict one row of 784 uint8", "predict-bytes", "predict", False, 30e-6),
    "import": ("import, beyond NumPy's", "import", "import", False, 30e-3),
}
SMALL_EPOCHS = 20  # times as many for 1,000 samples
WHEEL_GOAL_MB = 6.0


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, default=10, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--only", default=",".join(WORKS), metavar="LIST")
    parser.add_argument("--python", type=Path, metavar="FILE")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="a built wheel, for its size")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="holds mnist/")
    parser.add_argument("--limit", type=int, default=900, metavar="S", help="most seconds of a run")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    wanted.only = wanted.only.split(",")
    if not set(wanted.only) <= set(WORKS):
        parser.error(f"--only takes of {', '.join(WORKS)}")
    if min(wanted.rounds, wanted.epochs, wanted.threads) < 1:
        parser.error("--rounds, --epochs and --threads are at least 1")
    return wanted


def environment():
    """An interpreter with the package and scikit-learn, and the wheel."""
    folder = ROOT / "target/benchmarks/python"
    python = folder / "venv/bin/python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
    pins = ROOT / "bindings/python/requirements-test.txt"
    call(python, "-m", "pip", "install", "--quiet", "--requirement", pins)
    wheels = folder / "wheels"
    for old in wheels.glob("*.whl"):
        old.unlink()
    maturin = [python, "-m", "maturin", "build", "--release", "--quiet", "--out", wheels]
    call(*maturin, "--interpreter", python, "--manifest-path", ROOT / "bindings/python/Cargo.toml")
    (wheel,) = wheels.glob("*.whl")
    call(python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", wheel)
    return python, wheel


def call(*command):
    print("$", *command, file=sys.stderr)
    subprocess.run([str(word) for word in command], check=True)


def measure(python, who, work, wanted, epochs):
    command = [
        python, PEER, who, work, "--epochs", epochs, "--threads", wanted.threads,
    ]  # fmt: skip
    data = wanted.data or os.environ.get("GRADUS_DATA")
    path = os.environ.get("PYTHONPATH")
    added = {key: str(value) for key, value in [("GRADUS_DATA", data), ("PYTHONPATH", path)] if value}
    clean = process.clean_environment(wanted.threads, added.items())
    outcome = process.run(command, clean, wanted.threads, wanted.limit)
    if outcome.error:
        sys.exit(f"{who}, {work}: {outcome.error}")
    return outcome.lines[-1] | {"peak_mb": outcome.peak_mb}


def compare(python, name, wanted):
    """All rounds of one work: the two sides in turns."""
    _, ours, theirs, takes_epochs, _ = WORKS[name]
    epochs = wanted.epochs * (SMALL_EPOCHS if name == "small" else 1) if takes_epochs else 1
    rounds = []
    for number in range(wanted.rounds):
        sides = {"gradus": ours, "scikit-learn": theirs}
        if number % 2:
            sides = dict(reversed(sides.items()))
        found = {who: measure(python, who, work, wanted, epochs) for who, work in sides.items()}
        rounds.append(found)
        print(f"{name}, round {number + 1}: {json.dumps(found)}", file=sys.stderr)
    return {"epochs": epochs if takes_epochs else None, "rounds": rounds}


def row(name, result):
    """A line of the table."""
    what, _, _, _, goal = WORKS[name]
    side = {
        who: statistics.median(it[who]["seconds"] for it in result["rounds"])
        for who in ("gradus", "scikit-learn")
    }
    ratio = statistics.median(
        it["scikit-learn"]["seconds"] / it["gradus"]["seconds"] for it in result["rounds"]
    )
    accuracy = [
        f"{100 * found:.2f} %" if found is not None else ""
        for found in (result["rounds"][0][who].get("test_accuracy") for who in side)
    ]
    if isinstance(goal, str):
        met, told = ratio >= float(goal[:-1]), goal
    else:
        met, told = side["gradus"] <= goal, f"{time_of(goal)} at most"
    epochs = f", {result['epochs']} epochs" if result["epochs"] else ""
    ours, theirs = (time_of(side[who]) for who in side)
    return (
        f"| {what}{epochs} | {ours} | {theirs} | {ratio:.1f}x | {' / '.join(filter(None, accuracy))} "
        f"| {told}: {'met' if met else 'missed'} |"
    )


def time_of(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def report(results, wheel, about):
    lines = [f"- {key}: {value}" for key, value in about.items()]
    lines += ["", "| work | gradus | scikit-learn | ratio | test accuracy | goal |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [row(name, result) for name, result in results.items()]
    if wheel:
        size = wheel.stat().st_size / 1e6
        met = "met" if size < WHEEL_GOAL_MB else "missed"
        lines.append(f"| size of the wheel | {size:.2f} MB | | | | below {WHEEL_GOAL_MB} MB: {met} |")
    return "\n".join(lines)


def main():
    wanted = options()
    python, wheel = (wanted.python, wanted.wheel) if wanted.python else environment()
    about = machine.describe(wanted.threads)
    results = {name: compare(python, name, wanted) for name in wanted.only}
    text = report(results, wheel, about)
    print(text)
    if wanted.write:
        path = ROOT / f"benchmarks/results/python-{datetime.date.today()}.md"
        path.write_text(f"# The Python package beside scikit-learn\n\n{text}\n")
        path.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
        print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
