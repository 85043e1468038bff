"""Runs the cases with a program and collects the entries of a record: one per run or command."""

import csv
import json
import os
import shutil
from pathlib import Path

from bits import cases, files
from harness import process
from harness.setup import say

# The slowest case takes a few seconds; one that reaches the limit has hung.
LIMIT_SECONDS = 120


class Recorder:
    """Runs the cases in `folder`, which holds the inputs; `entries` and `problems` are the result.

    `maker` writes the models and checkpoints that other commands read. It is the program itself, or an older
    one whose files the program must still understand.
    """

    def __init__(self, program, maker, folder, data, isas, only=""):
        self.program, self.maker, self.folder = program, maker, folder
        self.data, self.isas, self.only = data, isas, only
        self.entries, self.problems = {}, []

    def record(self):
        with_mnist = self.data is not None and (self.data / "mnist").is_dir()
        if not with_mnist:
            say("no MNIST in $GRADUS_DATA: recording without it")
        self.train_all(cases.runs(with_mnist, self.isas))
        self.resume_all()
        self.keep_models()
        self.export_all()
        self.commands(with_mnist)
        self.sweeps()
        self.histories_and_reports()
        return self.entries

    # Running.

    def call(self, program, *words, threads=2, isa=None):
        """Runs one command. Returns its outcome, or None if it failed, which is noted as a problem."""
        added = {"GRADUS_DATA": str(self.data)} if self.data else {}
        if isa:
            added["GRADUS_ISA"] = isa
        environment = process.clean_environment(threads, added)
        outcome = process.run(
            [program, *words], environment, os.cpu_count(), LIMIT_SECONDS, self.folder, json_wanted=False
        )
        if outcome.error:
            told = " ".join(map(str, words))
            self.problems.append(f"gradus {told}: {outcome.error}")
            return None
        return outcome

    def masked(self, value):
        places = [(str(self.folder), "(folder)")]
        if self.data:
            places.append((str(self.data), "(data)"))
        return files.masked(value, places)

    def wanted(self, name):
        return self.only in name

    def file(self, name, path, read):
        """Adds an entry from a file that a command wrote."""
        try:
            self.entries[name] = self.masked(read(path))
        except (OSError, files.Broken) as error:
            self.problems.append(f"{name}: {error}")

    def train(self, name, words, out, program=None, threads=2, isa=None, kept=True):
        """Trains. If `kept`, adds an entry with the model and the printed lines."""
        words = ["train", "--json", "--threads", threads, "--out", out, *words]
        outcome = self.call(program or self.program, *words, threads=threads, isa=isa)
        if outcome is None or not kept:
            return
        self.file(name, self.folder / out, files.model)
        if name in self.entries:
            self.entries[name]["printed"] = self.masked(outcome.lines)

    # Models.

    def train_all(self, runs):
        needed = set(cases.MODELS.values())
        for number, run in enumerate(runs.values()):
            if self.wanted(f"train/{run.name}") or run.name in needed:
                out = f"run-{number}.safetensors"
                self.train(f"train/{run.name}", run.options, out, threads=run.threads, isa=run.isa)
                if run.name in needed:
                    self.copy(out, self.trained(run.name))
                (self.folder / out).unlink(missing_ok=True)
        say(f"{len(self.entries)} models trained")
        for name in cases.THREADED:
            for threads in cases.THREADS:
                self.same_tensors(f"train/{name}", f"train/{name} [{threads} threads]")

    def copy(self, source, target):
        """Copies a file within the folder. A missing one has been noted as a problem before."""
        if (self.folder / source).exists():
            shutil.copyfile(self.folder / source, self.folder / target)

    def same_tensors(self, one, other):
        """Notes a problem if two models of this record differ that must be equal."""
        pair = [self.entries.get(name, {}).get("tensors") for name in (one, other)]
        if None not in pair and pair[0] != pair[1]:
            self.problems.append(f"the models of {one} and {other} differ")

    @staticmethod
    def trained(name):
        return f"trained-{list(cases.MODELS.values()).index(name)}.safetensors"

    def keep_models(self):
        """Puts the models that commands read in place, under their short names."""
        for short, name in cases.MODELS.items():
            out = f"{short}.safetensors"
            if self.maker == self.program:
                self.copy(self.trained(name), out)
            else:
                run = cases.runs(False, ())[name]
                self.train(name, run.options, out, self.maker, kept=False)

    def resume_all(self):
        """Trains runs with checkpoints and resumes them: both must give the same model."""
        for name, (options, every) in cases.RESUMED.items():
            whole, resumed = f"resume/{name}/whole", f"resume/{name}/resumed"
            needed = name == next(iter(cases.RESUMED))
            if not (self.wanted(whole) or self.wanted(resumed) or needed):
                continue
            kept = ["--checkpoint", "run.checkpoint", "--checkpoint-every", every]
            words = [*cases.options(options), *kept]
            self.train(whole, words, "whole.safetensors")
            self.file(f"resume/{name}/checkpoint", self.folder / "run.checkpoint", files.checkpoint)
            if self.maker != self.program:
                self.train(whole, words, "whole.safetensors", self.maker, kept=False)
            if needed:
                self.copy("run.checkpoint", "kept.safetensors")
            self.train(resumed, ["--resume", "run.checkpoint"], "resumed.safetensors")
            self.same_tensors(whole, resumed)

    # Commands that read models.

    def export_all(self):
        readers = {".onnx": files.onnx, ".npz": files.npz, ".html": files.page, ".safetensors": files.model}
        for out, words in cases.EXPORTS.items():
            model, *options = words.split()
            if self.call(self.program, "export", model, out, *options) is not None:
                self.file(f"export/{out}", self.folder / out, readers[Path(out).suffix])

    def commands(self, with_mnist):
        for command, members in cases.JSON.items():
            members = members | (cases.MNIST_JSON.get(command, {}) if with_mnist else {})
            for name, words in members.items():
                entry = f"{command}/{name}"
                if self.wanted(entry):
                    outcome = self.call(self.program, command, "--json", *words.split())
                    if outcome is not None:
                        self.entries[entry] = self.masked(outcome.lines)

    def sweeps(self):
        for number, (name, words) in enumerate(cases.SWEEPS.items()):
            if self.wanted(f"sweep/{name}"):
                varied, _, train = words.partition(" -- ")
                out = f"sweep-{number}.jsonl"
                words = [*varied.split(), "--jobs", 2, "--out", out, "--", *cases.options(train)]
                if self.call(self.program, "sweep", *words) is not None:
                    self.file(f"sweep/{name}", self.folder / out, sweep_results)

    def histories_and_reports(self):
        words = cases.options(cases.FLOATS, "--validation 0.2")
        for kind, read in (("json", json_file), ("csv", csv_file)):
            history = f"history.{kind}"
            self.train(history, [*words, "--history", history], "with-history.safetensors", kept=False)
            if self.wanted(f"history/{kind}"):
                self.file(f"history/{kind}", self.folder / history, read)
        for number, (name, words) in enumerate(cases.REPORTS.items()):
            out = self.folder / f"report-{number}"
            if self.wanted(f"report/{name}"):
                if self.call(self.program, "report", *words.split(), "--format", "csv", "--out", out.name):
                    for table in sorted(out.glob("*.csv")):
                        self.file(f"report/{name}/{table.stem}", table, csv_file)


def json_file(path):
    return json.loads(path.read_text())


def csv_file(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def sweep_results(path):
    """The lines of a sweep, sorted by run: runs end in any order."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(lines, key=lambda line: line["run"])
