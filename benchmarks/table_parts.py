#!/usr/bin/env python3
"""What each part of the preset `tabular` brings: the preset without it, on validation parts of the training files.

    python3 benchmarks/table_parts.py                              six tables, two seeds: some ten minutes of two cores
    python3 benchmarks/table_parts.py --sets magic --seeds 1
    python3 benchmarks/table_parts.py --runs runs.jsonl --write    goes on from the runs there; also into results/

Of each training file of tables.py (--data: its folder), --rows rows, drawn with one seed, train (of these the preset holds a
fifth out itself, to choose the epoch), and up to --judges others judge. Test files are not read. Needs Python 3.11 and the program (--gradus; otherwise it is built); runs are side by side, each with one thread.
"""

import argparse
import csv
import datetime
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import machine, process
from table_sets import SETS
from tables import PLACE, program

# Part -> the options that leave it out, and for which sets: all, those in classes or with values, or with categories or
# numbers that are embedded as codes.
PARTS = {
    "numbers by median and quartiles, smooth clip": ("--normalize standard", "all"),
    "embedded numbers": ("--numeric-embedding none", "all"),
    "bins in place of cosines": ("--numeric-embedding pbld", "values"),
    "categories as 8 numbers": ("--category-embedding none", "codes"),
    "a factor for each input": ("--scaling-layer=false", "all"),
    "decay of these factors and of categories": ("--scaling-decay 0 --category-decay 0", "all"),
    "strengths of activations": ("--parametric=false", "all"),
    "steps of W / sqrt(n)": ("--parametrization standard", "all"),
    "a start on the scale of the data": ("--init ntk", "all"),
    "dropout": ("--dropout 0", "all"),
    "weight decay": ("--weight-decay 0", "all"),
    "Adam with beta2 0.95": ("--beta2 0.999", "all"),
    "schedule coslog4": ("--schedule constant", "all"),
    "label smoothing": ("--label-smoothing 0", "classes"),
    "standardized targets": ("--standardize-targets=false", "values"),
    "the last of the best epochs": ("--keep-best first", "all"),
}
WITH_CODES = ("adult", "flights")
WHOLE = "the whole recipe"
SPLIT_SEED = 11


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), metavar="LIST")
    parser.add_argument("--rows", type=int, default=5_000, metavar="N", help="rows that train")
    parser.add_argument("--judges", type=int, default=8_000, metavar="N", help="at most so many others judge")
    parser.add_argument("--epochs", type=int, default=32, metavar="N")
    parser.add_argument("--seeds", type=int, default=2, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="runs side by side")
    parser.add_argument("--data", type=Path, default=PLACE / "data", metavar="FOLDER")
    parser.add_argument("--gradus", type=Path, metavar="FILE", help="a program that is built already")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="JSON lines of runs: those that are there are not made again")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    wanted.sets = wanted.sets.split(",")
    if not set(wanted.sets) <= set(SETS):
        parser.error(f"--sets takes of {', '.join(SETS)}")
    return wanted


def split(wanted, name, folder):
    """Writes NAME.fit.csv and NAME.judge.csv; a file in which the rows are the same for all parts and seeds."""
    with (wanted.data / f"{name}.train.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    random.Random(SPLIT_SEED).shuffle(rows)
    judges = rows[wanted.rows : wanted.rows + wanted.judges]
    for part, of_part in (("fit", rows[: wanted.rows]), ("judge", judges)):
        with (folder / f"{name}.{part}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *of_part])


def parts_of(name):
    kinds = {"all", "classes" if SETS[name].classes else "values"} | ({"codes"} if name in WITH_CODES else set())
    return [WHOLE, *(part for part, (_, kind) in PARTS.items() if kind in kinds)]


def measure(gradus, folder, wanted, name, part, seed):
    """The error on the rows that judge; none with the reason where training failed."""
    changed = [] if part == WHOLE else PARTS[part][0].split()
    files = ["--data", folder / f"{name}.fit.csv", "--test", folder / f"{name}.judge.csv"]
    out = folder / f"{name}-{parts_of(name).index(part)}-{seed}.safetensors"
    settings = ["--preset", "tabular", "--epochs", wanted.epochs, "--seed", seed, "--threads", 1]
    command = [gradus, "train", *files, *settings, *changed, "--json", "--out", out]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    out.unlink(missing_ok=True)
    found = {"set": name, "part": part, "seed": seed} | scale(wanted)
    if done.returncode != 0:
        return found | {"failure": done.stderr.strip().splitlines()[-1]}
    last = json.loads(done.stdout.splitlines()[-1])
    error = 1.0 - last["test_accuracy"] if SETS[name].classes else last["test_rmse"]
    return found | {"error": error}


def scale(wanted):
    """What runs have in common that are compared."""
    return {"rows": wanted.rows, "judges": wanted.judges, "epochs": wanted.epochs}


def all_runs(gradus, wanted):
    runs = []
    if wanted.runs and wanted.runs.exists():
        runs = [json.loads(line) for line in wanted.runs.read_text(encoding="utf-8").splitlines()]
        runs = [run for run in runs if scale(wanted).items() <= run.items()]
    done = {(run["set"], run["part"], run["seed"]) for run in runs}
    plan = [
        (name, part, seed)
        for seed in range(wanted.seeds)
        for name in wanted.sets
        for part in parts_of(name)
        if (name, part, seed) not in done
    ]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(wanted.workers) as workers:
        for name in {name for name, _, _ in plan}:
            split(wanted, name, Path(folder))
        pending = [workers.submit(measure, gradus, Path(folder), wanted, *run) for run in plan]
        for future in as_completed(pending):
            runs.append(future.result())
            process.keep(runs[-1], wanted.runs)
    return runs


def errors(runs, name, part):
    """Seed -> error."""
    of_part = [run for run in runs if (run["set"], run["part"]) == (name, part)]
    return {run["seed"]: run.get("error") for run in of_part}


def more_error(runs, name, part):
    """By how many percent the error is larger without the part, the mean over the seeds that have both; none without any."""
    whole, without = errors(runs, name, WHOLE), errors(runs, name, part)
    both = [seed for seed in whole if whole[seed] and without.get(seed)]
    if not both:
        return None
    return 100.0 * (statistics.fmean(without[it] for it in both) / statistics.fmean(whole[it] for it in both) - 1.0)


def summary(runs, wanted):
    lines = [f"| without | {' | '.join(wanted.sets)} | mean |", "|---" * (len(wanted.sets) + 2) + "|"]
    for part in PARTS:
        changes = [more_error(runs, name, part) for name in wanted.sets]
        known = [math.log1p(change / 100.0) for change in changes if change is not None]
        if not known:
            continue
        cells = ["" if change is None else f"{change:+.1f}" for change in changes]
        mean = 100.0 * math.expm1(statistics.fmean(known))
        lines.append(f"| {part} | {' | '.join(cells)} | {mean:+.1f} |")
    return lines


def base(runs, wanted):
    """The errors of the whole recipe, and by how much they differ between seeds."""
    cells = []
    for name in wanted.sets:
        found = [error for error in errors(runs, name, WHOLE).values() if error]
        if found:
            factor, unit = (100.0, " %") if SETS[name].classes else (1.0, "")
            cells.append(f"{name} {', '.join(f'{factor * error:.4g}{unit}' for error in found)}")
    return "; ".join(cells)


def main():
    wanted = options()
    gradus = program(wanted)
    facts = machine.describe(1)
    runs = all_runs(gradus, wanted)
    today = datetime.date.today().isoformat()
    lines = [f"# Parts of the recipe for tables, {today}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items() if name in ("processor", "instruction sets")]
    lines += [
        "",
        f"By how many percent the error (classes) or the RMSE (values) is larger without each part of the preset `tabular`: "
        f"{wanted.rows:,} rows of each training file train, up to {wanted.judges:,} others judge; {wanted.epochs} epochs, "
        f"{'one seed' if wanted.seeds == 1 else f'means of {wanted.seeds} seeds'}. Nothing else was tuned for what remains. The last column is the geometric mean.",
        "",
        f"The whole recipe, by seed: {base(runs, wanted)}.",
        "",
        *summary(runs, wanted),
    ]
    failed = [run for run in runs if "failure" in run]
    lines += [f"\nFailed: {run['part']} on {run['set']}, seed {run['seed']}: {run['failure']}" for run in failed]
    text = "\n".join(lines) + "\n"
    print(text)
    if wanted.write:
        (HERE / "results" / f"table-parts-{today}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
