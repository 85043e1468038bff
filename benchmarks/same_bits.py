#!/usr/bin/env python3
"""Checks that a change leaves every result alone: records what gradus produces, and compares two records.

    python3 benchmarks/same_bits.py record target/release/gradus before.json
    ... change, build ...
    python3 benchmarks/same_bits.py record target/release/gradus after.json
    python3 benchmarks/same_bits.py compare before.json after.json

A record contains, for about 190 small models, the SHA-256 of the tensors, the SHA-256 of the file and the
metadata; and the output of every command with --json, of exports, sweeps and CSV reports. Times, paths, thread
counts and the program's version are masked. The cases (bits/cases.py) cover presets, losses, optimizers,
schedules, regularization, activations, initial weights, normalization, depth, data formats, full batches of one
and of several micro-batches, early stopping, resumed runs, instruction sets, and 1, 2 and 5 threads. `record`
also checks that models which must be equal within one record are: those trained on different numbers of
threads, and resumed runs. Inputs are generated from fixed seeds; $GRADUS_DATA/mnist adds three models on MNIST.

A record takes about a minute on two cores and needs Python 3.11, without any packages. `record --files-from
OLD_PROGRAM` lets an older program write the models and checkpoints that the new one reads. `compare` lists
changed values and added keys separately, and exits with 1 if anything changed or is missing.

Not covered: features of the library and the Python package alone. bindings/python/tests and
crates/gradus/tests/warm_start.rs test sparse rows and continued training on other data (`Session::go_on`,
`partial_fit`). Wording is not compared either; crates/gradus-cli/tests/cmd tests it. `fetch` and `bench` are left
out, because one needs the network and the other measures time.

Bits depend on the instruction set: compare only records from one machine.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bits import cases, files, inputs
from bits.compare import compare
from bits.recorder import Recorder
from harness import machine
from harness.setup import say

FORMAT = 1


def main():
    args = arguments()
    return record(args) if args.action == "record" else compare_files(args)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    part = actions.add_parser("record", help="train, run the commands, write a record")
    part.add_argument("program", type=Path, help="the gradus program")
    part.add_argument("out", type=Path, help="the .json file to write")
    part.add_argument(
        "--files-from", type=Path, metavar="OLD_PROGRAM",
        help="let this program write the models and checkpoints that commands read, to check that the new "
        "program still understands them",
    )  # fmt: skip
    part.add_argument(
        "--only", default="", metavar="TEXT",
        help="only entries whose names contain this, such as train/optimizer (models that commands read are "
        "trained in any case)",
    )  # fmt: skip
    part = actions.add_parser("compare", help="print the differences; exit status 1 if there are any")
    part.add_argument("old", type=Path)
    part.add_argument("new", type=Path)
    part.add_argument(
        "--renamed", action="append", default=[], metavar="OLD=NEW",
        help="a JSON key that has been renamed; may be given several times",
    )  # fmt: skip
    part.add_argument(
        "--only", default="", metavar="TEXT", help="only entries whose names contain this"
    )  # fmt: skip
    part.add_argument("--strict", action="store_true", help="exit with 1 for added keys, too")
    args = parser.parse_args()
    if args.action == "compare" and any("=" not in pair for pair in args.renamed):
        parser.error("--renamed takes OLD=NEW, such as deviation=std")
    return args


def record(args):
    program = args.program.resolve()
    version = machine.first_line(program, "--version")
    if version == "not found":
        sys.exit(f"{program}: cannot be run; build it with `cargo build --release`")
    maker = args.files_from.resolve() if args.files_from else program
    data = os.environ.get("GRADUS_DATA")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="same-bits-") as name:
        folder = Path(name)
        inputs.make(folder)
        recorder = Recorder(
            program, maker, folder, Path(data).resolve() if data else None, instruction_sets(), args.only
        )
        entries = recorder.record()
    content = {
        "format": FORMAT,
        "program": {"version": version, "sha256": files.digest(program.read_bytes())},
        "machine": {"processor": machine.processor(), "instruction_sets": machine.instruction_sets()},
        "entries": {key: entries[key] for key in sorted(entries)},
    }
    args.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    models = sum(1 for entry in entries.values() if isinstance(entry, dict) and "tensors" in entry)
    say(f"{args.out}: {len(entries)} entries, {models} with tensors, in {time.perf_counter() - began:.0f} s")
    for problem in recorder.problems:
        say(f"problem: {problem}")
    return 1 if recorder.problems else 0


def instruction_sets():
    """The values of GRADUS_ISA that this machine supports."""
    found = set(machine.instruction_sets())
    needed = {"portable": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512vl"}}
    return [isa for isa in cases.ISAS if needed[isa] <= found]


def compare_files(args):
    old, new = (read(path, args.only) for path in (args.old, args.new))
    if old["machine"]["instruction_sets"] != new["machine"]["instruction_sets"]:
        say("the records come from different processors, which alone may change the models")
    found = compare(old, new, [pair.split("=", 1) for pair in args.renamed])
    for title, lines in (
        ("changed", found.changed),
        ("missing", found.missing),
        ("added key", found.added),
        ("other bytes, explained by the above or by the version", found.bytes_only),
    ):
        for line in lines:
            print(f"{title}: {line}")
    print(
        f"{found.equal} entries equal; {len(found.changed)} values changed, {len(found.missing)} missing, "
        f"{len(found.added)} added, {len(found.bytes_only)} files with other bytes for these reasons or the version"
    )
    return 1 if found.any or (args.strict and found.added) else 0


def read(path, only):
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: {error}")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        sys.exit(f"{path}: not a record of this version of same_bits.py")
    content["entries"] = {name: entry for name, entry in content["entries"].items() if only in name}
    return content


if __name__ == "__main__":
    sys.exit(main())
