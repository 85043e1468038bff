#!/usr/bin/env python3
"""Compares gradus on tables with other models' defaults: errors, times, memory, in turns, on the same splits.

    python3 benchmarks/tables.py                                   all peers, six tables, five seeds: many hours
    python3 benchmarks/tables.py --peers gradus,lightgbm --seeds 1 --sets california
    python3 benchmarks/tables.py --runs runs.jsonl                 keeps each run there, and goes on from those that are there
    python3 benchmarks/tables.py --runs runs.jsonl --table         measures nothing: the tables of the runs that are there
    python3 benchmarks/tables.py --write                           also into benchmarks/results/tables-DATE.md and .json

It makes a virtual environment in target/benchmarks/tables with the peers of tables_requirements.txt (pytabkit brings
PyTorch, some 5 GB; --python names an interpreter that has them), downloads the packages with the data, and builds gradus in
release mode (--gradus names a program). Settings of gradus for tables were chosen on validation parts of these six training
files, never on their test files; other data sets are kept for judging.
"""

import argparse
import csv
import datetime
import json
import math
import statistics
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import machine, process
from table_sets import SETS

ROOT = HERE.parent
PLACE = ROOT / "target/benchmarks/tables"
PEER = HERE / "peers/table_peer.py"

PEERS = (
    "gradus", "gradus-bag", "gradus-tabular", "gradus-tabular-small", "gradus-tabular-quick", "sklearn-mlp", "realmlp-td",
    "realmlp-td-s", "tabm", "lightgbm", "xgboost", "catboost", "hist-gradient-boosting",
)  # fmt: skip

# The figure that a set is judged by, and in which unit it is shown.
FIGURES = {True: ("error", 100.0, "error, %"), False: ("rmse", 1.0, "RMSE")}

# Added to errors before their geometric mean is taken.
SHIFT = 0.01

# Name of a column -> the figure of a run.
TIMES = {
    "fit, s": "fit_seconds", "fit, processor s": "fit_cpu_seconds", "predict, s": "predict_seconds", "peak, MB": "peak_mb",
}  # fmt: skip


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), metavar="LIST")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="LIST")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--limit", type=int, default=3600, metavar="S", help="most seconds of a run")
    parser.add_argument("--python", type=Path, metavar="FILE", help="an interpreter that has the peers")
    parser.add_argument("--gradus", type=Path, metavar="FILE", help="a program that is built already")
    parser.add_argument("--data", type=Path, default=PLACE / "data", metavar="FOLDER")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="JSON lines of runs: those that are there are not made again")
    parser.add_argument("--note", default="", metavar="TEXT", help="what readers of the results should know of the machine")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    wanted.sets, wanted.peers = wanted.sets.split(","), wanted.peers.split(",")
    for given, known, name in ((wanted.sets, SETS, "--sets"), (wanted.peers, PEERS, "--peers")):
        if not set(given) <= set(known):
            parser.error(f"{name} takes of {', '.join(known)}")
    return wanted


def interpreter(wanted):
    """An interpreter with the peers."""
    if wanted.python:
        return wanted.python
    python = PLACE / "venv/bin/python"
    if not python.exists():
        venv.create(PLACE / "venv", with_pip=True)
    pins = HERE / "tables_requirements.txt"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(pins)], check=True)
    return python


def program(wanted):
    if wanted.gradus:
        return wanted.gradus.resolve()
    build = ["cargo", "build", "--release", "--manifest-path", ROOT / "Cargo.toml", "--package", "gradus-cli"]
    subprocess.run([str(word) for word in build], check=True)
    return ROOT / "target/release/gradus"


def measure(python, gradus, peer, name, seed, wanted):
    parts = [wanted.data.resolve() / f"{name}.{part}.csv" for part in ("train", "test")]
    task = "classes" if SETS[name].classes else "values"
    command = [python, PEER, peer, *parts, task, seed, wanted.threads]
    environment = process.clean_environment(wanted.threads, [("GRADUS_PROGRAM", str(gradus))])
    outcome = process.run(command, environment, wanted.threads, wanted.limit)
    found = {"peer": peer, "set": name, "seed": seed, "peak_mb": outcome.peak_mb}
    return found | ({"failure": outcome.error} if outcome.error else outcome.lines[-1])


def earlier(wanted):
    """Returns the runs that an earlier call has kept; one that failed is made again, unless nothing is measured."""
    if wanted.runs is None or not wanted.runs.exists():
        return []
    runs = [json.loads(line) for line in wanted.runs.read_text(encoding="utf-8").splitlines()]
    return [run for run in runs if wanted.table or "failure" not in run]


def summary(runs, wanted):
    """The lines of the tables: one for each set, one row for each peer."""
    lines = []
    for name in wanted.sets:
        figure, factor, unit = FIGURES[SETS[name].classes]
        extra = ["AUC", "log loss"] if SETS[name].classes else []
        lines += ["", f"## {name}", "", f"| | {' | '.join([unit, *extra, *TIMES])} |"]
        lines.append("|---" * (2 + len(extra) + len(TIMES)) + "|")
        for peer in wanted.peers:
            of_peer = [run for run in runs if (run["peer"], run["set"]) == (peer, name)]
            good = [run for run in of_peer if "failure" not in run]
            if not good:
                lines.append(f"| {peer} | {of_peer[0]['failure'] if of_peer else 'not run'} |")
                continue
            # Runs of other days may lack a figure.
            mean = lambda key: statistics.fmean(run[key] for run in good if key in run)
            known = lambda key: any(key in run for run in good)
            spread = f" ± {factor * statistics.stdev(run[figure] for run in good):.2g}" if len(good) > 1 else ""
            cells = [f"{factor * mean(figure):.4g}{spread}"]
            if extra:
                cells += [f"{mean(key):.4f}" if known(key) else "" for key in ("auc", "log_loss")]
            cells += [f"{mean(key):.1f}" if known(key) else "" for key in TIMES.values()]
            few = "" if len(good) >= wanted.seeds else f" ({len(good)} of {wanted.seeds} seeds)"
            lines.append(f"| {peer}{few} | {' | '.join(cells)} |")
    return lines


def relative_error(run, data):
    """The share of wrong classes, or the RMSE by the standard deviation of the test part."""
    name = run["set"]
    if SETS[name].classes:
        return run["error"]
    with (data / f"{name}.test.csv").open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return run["rmse"] / statistics.pstdev(float(row[-1]) for row in rows)


def comparison(runs, wanted):
    """The first peer beside each other: on how many sets its mean is better, and the ratio of shifted geometric means."""
    first, *others = wanted.peers
    means = {}
    for peer in wanted.peers:
        for name in wanted.sets:
            of_both = [run for run in runs if (run["peer"], run["set"]) == (peer, name) and "failure" not in run]
            if of_both:
                means[peer, name] = statistics.fmean(relative_error(run, wanted.data) for run in of_both)
    lines = ["", f"## {first} beside the others", ""]
    lines += ["| | better on | worse on | shifted geometric mean of its errors by theirs |", "|---|---|---|---|"]
    for peer in others:
        both = [name for name in wanted.sets if (first, name) in means and (peer, name) in means]
        if not both:
            continue
        better = [name for name in both if means[first, name] < means[peer, name]]
        worse = [name for name in both if name not in better]
        # The shift keeps sets without errors from deciding (Holzmüller et al. 2024).
        ratio = statistics.fmean(math.log((means[first, it] + SHIFT) / (means[peer, it] + SHIFT)) for it in both)
        cells = [f"{len(names)}: {', '.join(names)}" if names else "none" for names in (better, worse)]
        lines.append(f"| {peer} | {' | '.join(cells)} | {math.exp(ratio):.3f} (of {len(both)} sets) |")
    return lines


def main():
    wanted = options()
    facts, runs = machine.describe(wanted.threads), earlier(wanted)
    if not wanted.table:
        runs = all_runs(runs, wanted)
    show(facts, runs, wanted)


def all_runs(runs, wanted):
    """Those that are there, and those that are made now."""
    python = interpreter(wanted)
    # With the interpreter that can read the packages.
    prepare = "import sys, pathlib, table_sets; table_sets.prepare(pathlib.Path(sys.argv[1]), sys.argv[2:])"
    subprocess.run([str(python), "-c", prepare, str(wanted.data), *wanted.sets], check=True, cwd=HERE)
    gradus = program(wanted)
    done = {(run["peer"], run["set"], run["seed"]) for run in runs}
    for seed in range(wanted.seeds):
        for name in wanted.sets:
            # In turns: a slow hour of the machine meets all peers alike.
            for peer in wanted.peers:
                if (peer, name, seed) in done:
                    continue
                runs.append(measure(python, gradus, peer, name, seed, wanted))
                process.keep(runs[-1], wanted.runs)
    return runs


def show(facts, runs, wanted):
    """Prints the tables, and writes them if asked to."""
    today = datetime.date.today().isoformat()
    seeds = "One seed," if wanted.seeds == 1 else f"Means over {wanted.seeds} seeds with their standard deviations,"
    lines = [f"# Tables beside other models, {today}", ""]
    lines += [f"- {key}: {value}" for key, value in facts.items()]
    lines += [
        "",
        f"{seeds} on the test files; defaults everywhere. Times of gradus "
        "are those of whole commands, reading and writing files included; processor time is that of all threads, which other work on "
        "the machine hardly changes; peak memory is that of the whole process.",
    ]
    lines += ["", wanted.note] if wanted.note else []
    lines += comparison(runs, wanted) + summary(runs, wanted)
    text = "\n".join(lines) + "\n"
    print(text)
    if wanted.write:
        results = HERE / "results"
        (results / f"tables-{today}.md").write_text(text, encoding="utf-8")
        (results / f"tables-{today}.json").write_text(json.dumps({"machine": facts, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
