#!/usr/bin/env python3
"""Compares training by two processes, and data in a file, with other programs on the same work.

    python3 benchmarks/scale_peers.py PROGRAM --mpiexec MPIEXEC --python PYTHON --data FOLDER
    python3 benchmarks/scale_peers.py ... --only large --rounds 3 --write    # into benchmarks/results/scale-peers-YYYY-MM-DD.md

PYTHON has NumPy, PyTorch, scikit-learn, pandas, PyArrow and PySpark (and Java on the path); FOLDER has MNIST. A program that
is missing is named and left out.

| work | what |
|---|---|
| small, large | 784-128-10 and 784-1024-1024-10: mini-batches of 8,192, Adam at 0.001, pixels / 255, one start for all; two cores |
| lbfgs | 784-128-10 with sigmoid hidden units, L-BFGS over all samples, the only way in which Spark trains such a network |

All run in turns, each on the same two cores. Seconds are those of the fastest epoch, or the mean of all iterations of L-BFGS.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine
from scale import ALLOWED

HERE = Path(__file__).resolve().parent
BATCH = 8192


def environment(options, threads):
    path = f"{Path(options.mpiexec).resolve().parent}:{os.environ['PATH']}"
    # Spark starts Python processes of its own.
    return {
        **os.environ, **ALLOWED, "PATH": path, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads),
        "PYSPARK_PYTHON": options.python, "PYSPARK_DRIVER_PYTHON": options.python,
    }  # fmt: skip


def peer(options, script, work, start, epochs, *flags, threads=2):
    words = [options.python, HERE / "peers" / f"{script}.py", work, "--files", options.files, "--start", start]
    return [*words, "--epochs", epochs, "--batch", BATCH, "--threads", threads, *flags], threads


def gradus(options, start, epochs, *flags, ranks=None):
    fixed = ["--data", options.data, "--init", start, "--epochs", epochs, "--normalize", "unit", "--json"]
    fixed += ["--out", options.files / "model.safetensors"]
    words = [options.program, "train", *fixed, *flags, "--threads", 1 if ranks else 2]
    if ranks:
        words = [options.mpiexec, "-n", ranks, *words, "--mpi"]
    return words, 2


def adam(options, layers, epochs):
    start = options.files / f"start-{layers}.npz"
    hidden = ",".join(layers.split("-")[1:-1])
    flags = ["--hidden", hidden, "--optimizer", "adam", "--learning-rate", 0.001, "--batch-size", BATCH]
    flags += ["--weight-decay", 0, "--schedule", "constant"]
    return {
        "gradus, 1 process of 2 threads": gradus(options, start, epochs, *flags),
        "gradus, 2 ranks of 1 thread": gradus(options, start, epochs, *flags, ranks=2),
        "PyTorch, 1 process of 2 threads": peer(options, "torch_peer", "minibatch", start, epochs),
        "PyTorch, DDP by gloo, 2 processes": peer(options, "ddp_peer", "minibatch", start, epochs, threads=1),
        "scikit-learn, partial_fit over a memory map": peer(options, "sklearn_peer", "memmap", start, epochs),
    }


def lbfgs(options, layers, epochs):
    start = options.files / f"start-{layers}.npz"
    flags = ["--hidden", 128, "--optimizer", "lbfgs", "--activation", "sigmoid"]
    return {
        "gradus, 1 process of 2 threads": gradus(options, start, epochs, *flags),
        "Spark, local[2]": peer(options, "spark_peer", "lbfgs", start, epochs),
    }


WORKS = {
    "small": (adam, "784-128-10", 10),
    "large": (adam, "784-1024-1024-10", 3),
    "lbfgs": (lbfgs, "784-128-10", 30),
}


def outcome(words, threads, options):
    """The seconds of an epoch and the accuracy, or what went wrong."""
    words = [str(word) for word in words]
    done = subprocess.run(words, env=environment(options, threads), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["no message"])[-1]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    last = lines[-1]
    seconds = last.get("epoch_seconds") or [line["seconds"] for line in lines if "epoch" in line]
    is_lbfgs = "lbfgs" in words
    return (statistics.mean(seconds) if is_lbfgs else min(seconds)), (last["test_accuracy"], last.get("version"))


def table(options, name):
    make, layers, epochs = WORKS[name]
    trainers = make(options, layers, epochs)
    found = {trainer: [] for trainer in trainers}
    notes = {}
    for turn in range(options.rounds):
        order = list(trainers) if turn % 2 == 0 else list(reversed(trainers))
        for trainer in order:
            if trainer in notes:
                continue
            seconds, more = outcome(*trainers[trainer], options)
            print(f"{name}, {trainer}: {seconds} {more}", flush=True)
            if seconds is None:
                notes[trainer] = more
            else:
                found[trainer].append((seconds, *more))
    unit = "iteration" if name == "lbfgs" else "epoch"
    lines = [f"| {layers} | seconds an {unit} | test accuracy after {epochs} |", "|---|---|---|"]
    for trainer, runs in found.items():
        if trainer in notes:
            lines.append(f"| {trainer} | not run: {notes[trainer]} | |")
            continue
        version = f" ({runs[0][2]})" if runs[0][2] else ""
        accuracy = statistics.median(run[1] for run in runs)
        lines.append(f"| {trainer}{version} | {statistics.median(run[0] for run in runs):.3f} | {100 * accuracy:.2f} % |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--mpiexec", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--only", default=",".join(WORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    options.program, options.data = options.program.resolve(), options.data.resolve()
    names = options.only.split(",")
    if unknown := set(names) - set(WORKS):
        parser.error(f"there is no work {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="gradus-peers-") as folder:
        options.files = Path(folder)
        prepare = [options.python, HERE / "peers" / "prepare.py", "--data", options.data, "--files", options.files]
        subprocess.run([str(word) for word in prepare], check=True)
        tables = [table(options, name) for name in names]
    text = "\n\n".join(tables)
    print(text)
    if options.write:
        today = datetime.date.today().isoformat()
        here = "\n".join(f"- {name}: {value}" for name, value in machine.describe(2).items())
        path = HERE / "results" / f"scale-peers-{today}.md"
        path.write_text(f"# Two processes beside other programs, {today}\n\n{here}\n- rounds: {options.rounds}\n\n{text}\n")


if __name__ == "__main__":
    main()
