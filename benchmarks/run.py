#!/usr/bin/env python3
"""Compares gradus with other trainers on the same work, in turns, with the same threads.

    python3 benchmarks/run.py                        everything, three rounds
    python3 benchmarks/run.py --quick                a smoke run: does every part work?
    python3 benchmarks/run.py --only a,c --rounds 5
    python3 benchmarks/run.py --write                also into benchmarks/results/

Needs Python 3.11, Rust, and on the first run the network: it makes a virtual environment in
target/benchmarks, installs benchmarks/requirements.txt into it, and builds gradus and the Rust
peers. README.md says what is compared and how fairness is kept.
"""

import argparse
import datetime
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import figures, machine, selftest, setup, tables, works
from harness.setup import Failed, say

# What may be asked for -> the works that it means.
WORKS = {
    "a": ["a"], "b": ["b1", "b2"], "b1": ["b1"], "b2": ["b2"], "c": ["c"], "d": ["d"], "e": ["a"],
}  # fmt: skip
RUST_PEERS = ("candle_peer", "burn_peer")


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument(
        "--seeds", type=int, default=10, metavar="N", help="runs of each side of (c)"
    )
    parser.add_argument(
        "--only", default="a,b,c,d", metavar="LIST",
        help="a notebook's epoch (and e, its peak memory), b mini-batches (b1 small, b2 large "
        "network), c time to 98 %%, d prediction",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="one round, few epochs and repetitions"
    )
    parser.add_argument(
        "--write", action="store_true", help="write results/YYYY-MM-DD.md and .json"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="MNIST's four files")
    parser.add_argument(
        "--gradus", type=Path, metavar="FILE", help="a built program, not a new one"
    )
    parser.add_argument("--venv", type=Path, metavar="FOLDER", help="another virtual environment")
    parser.add_argument(
        "--limit", type=int, default=240, metavar="S", help="most seconds of one run"
    )
    parser.add_argument(
        "--patience", type=int, default=60, metavar="S",
        help="a trainer whose run took longer is not run again in later rounds",
    )  # fmt: skip
    parser.add_argument(
        "--self-test", action="store_true", help="check the arithmetic and the tables"
    )
    wanted = parser.parse_args()
    asked = wanted.only.split(",")
    if not set(asked) <= set(WORKS):
        parser.error(f"--only takes of {', '.join(WORKS)}")
    wanted.only = {key for name in asked for key in WORKS[name]}
    if min(wanted.rounds, wanted.threads, wanted.seeds) < 1:
        parser.error("--rounds, --threads and --seeds are at least 1")
    if wanted.threads > len(os.sched_getaffinity(0)):
        parser.error(f"--threads: only {len(os.sched_getaffinity(0))} cores may be used")
    if wanted.quick:
        wanted.rounds = wanted.seeds = 1
    return wanted


def set_up(wanted):
    """The place with everything built, and the accuracy of the network for predictions."""
    gradus = setup.build_gradus(wanted.gradus)
    folder = setup.ROOT / "target/benchmarks"
    place = setup.Place(
        data=setup.find_data(wanted.data, gradus),
        folder=folder,
        python=setup.make_environment((wanted.venv or folder / "venv").absolute()),
        gradus=gradus,
        rust=folder,
        threads=wanted.threads,
    )
    setup.prepare_files(place)
    if {"a", "b1", "b2"} & wanted.only:
        place.rust, place.missing = setup.build_rust_peers(rust_target(folder), RUST_PEERS)
    return place


def rust_target(folder):
    return Path(os.environ.get("CARGO_TARGET_DIR", folder / "rust")).absolute()


def network_for_predictions(place):
    try:
        return setup.train_model(place)
    except Failed as failure:
        place.missing["model"] = str(failure)
        return place.files / "model.npz", None


def chosen(wanted, place):
    """The works to do, in order."""
    rounds, quick = wanted.rounds, wanted.quick
    if "a" in wanted.only:
        yield works.notebook(place, rounds, quick)
    if "b1" in wanted.only:
        yield works.minibatch(place, "b1", [128], 2 if quick else 6, rounds)
    if "b2" in wanted.only:
        # The large one takes most of the time: two epochs, two rounds.
        yield works.minibatch(place, "b2", [1024, 1024], 2, min(rounds, 2))
    if "c" in wanted.only:
        yield works.to_98(place, wanted.seeds)
    if "d" in wanted.only:
        yield works.predict(place, rounds, quick, *network_for_predictions(place))


def one_run(work, trainer, place, number, limit):
    """(figures or None, why not, what the process printed)."""
    if trainer.needs in place.missing:
        return None, place.missing[trainer.needs], None
    outcome = place.run(trainer.command(number), limit, trainer.environment)
    if outcome.error:
        return None, outcome.error, outcome
    try:
        return (trainer.read or work.read)(outcome), None, outcome
    except (KeyError, IndexError, TypeError, StopIteration) as error:
        return None, f"its output was not understood: {error!r}", outcome


def measure(work, place, wanted):
    """Every trainer once a round, in turns.

    Returns name -> figures (or None) of each round, name -> errors, and all that was printed.
    """
    results = {trainer.name: [] for trainer in work.trainers}
    errors, raw, given_up = {}, [], set()
    for number in range(work.rounds):
        for trainer in work.trainers:
            found = None
            if trainer.name not in given_up:
                found, error, outcome = one_run(work, trainer, place, number, wanted.limit)
                took = outcome.wall_seconds if outcome else 0.0
                say(f"({work.key}) round {number + 1}, {trainer.name}: {error or f'{took:.1f} s'}")
                if error:
                    errors.setdefault(trainer.name, []).append(error)
                if took > wanted.patience or trainer.needs in place.missing:
                    given_up.add(trainer.name)
                raw.append({
                    "round": number, "trainer": trainer.name, "figures": found, "error": error,
                    "process": asdict(outcome) if outcome else None,
                })  # fmt: skip
            results[trainer.name].append(found)
    return results, errors, raw


def table(work, results, peak):
    if work.kind == "whole":
        return tables.of_whole_runs(results, works.REFERENCE)
    if work.kind == "predictions":
        return tables.of_predictions(results, works.REFERENCE)
    floor = work.floor_gflop / peak if peak else None
    return tables.of_epochs(results, works.REFERENCE, floor)


def section(work, results, errors, peak):
    parts = [f"## ({work.key}) {work.title}", work.note]
    if work.floor_gflop and peak:
        parts.append(
            f"Floor: {work.floor_gflop:.2f} GFLOP that no exact epoch can leave out (products with "
            f"pixels that are zero left out), at the measured peak of {peak:.0f} GFLOP/s: "
            f"{work.floor_gflop / peak:.4f} s."
        )
    parts.append(table(work, results, peak))
    if errors:
        parts.append(tables.failures(errors))
    return "\n\n".join(parts)


def peak_of(place, limit):
    """GFLOP/s of the machine as `gradus bench` measures it, or None with a word on why."""
    outcome = place.run(place.bench, limit)
    # Its first line: there even where the rest took too long.
    peak = figures.peak_gflops(outcome.lines, place.threads)
    if peak is None:
        say(f"no arithmetic peak from `gradus bench`: {outcome.error or 'no such line'}")
    return peak, outcome


def versions(place, raw):
    """Name -> version, of what took part."""
    found = {
        "gradus": machine.first_line(place.gradus, "--version"),
        "commit": machine.first_line("git", "-C", setup.ROOT, "describe", "--always", "--dirty"),
        "rustc": machine.first_line("rustc", "--version"),
        "python": machine.first_line(place.python, "--version"),
    }
    peers = {
        run["figures"]["version"] for run in raw if run["figures"] and run["figures"].get("version")
    }
    return found | {"peers": ", ".join(sorted(peers)) or "none"}


def main():
    wanted = options()
    if wanted.self_test:
        sys.exit(selftest.main())
    date = datetime.date.today().isoformat()
    try:
        place = set_up(wanted)
    except Failed as failure:
        sys.exit(f"error: {failure}")
    facts = machine.describe(wanted.threads)
    facts["rounds"] = f"{wanted.rounds}, in turns; medians, in brackets least and most"
    peak, bench = peak_of(place, wanted.limit)
    facts["arithmetic peak"] = f"{peak:.0f} GFLOP/s, float32" if peak else "not measured"

    sections, raw = [], []
    for work in chosen(wanted, place):
        results, errors, runs = measure(work, place, wanted)
        raw += [{"work": work.key, **run} for run in runs]
        sections.append(section(work, results, errors, peak))
        print(f"\n{sections[-1]}", flush=True)
    facts |= versions(place, raw)
    head = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    print(f"\n{head}")
    if wanted.write:
        folder = setup.BENCHMARKS / "results"
        folder.mkdir(exist_ok=True)
        text = "\n\n".join([f"# Measured on {date}", head, *sections])
        (folder / f"{date}.md").write_text(text + "\n")
        kept = {"date": date, "machine": facts, "bench": bench.lines, "runs": raw}
        # Where things lie on this machine is nobody's business.
        kept = json.dumps(kept, indent=1).replace(f"{place.folder}/", "")
        (folder / f"{date}.json").write_text(kept + "\n")
        say(f"wrote {folder / date}.md and .json")


if __name__ == "__main__":
    main()
