#!/usr/bin/env python3
"""Measures what docs/scale.md promises of training by several processes.

    python3 benchmarks/scale.py PROGRAM --mpiexec MPIEXEC[,MPIEXEC ...]
    python3 benchmarks/scale.py PROGRAM --mpiexec mpiexec --only bits,sweep
    python3 benchmarks/scale.py PROGRAM --mpiexec mpiexec --only speed,micro,before --before OLD_PROGRAM    # on a quiet machine
    python3 benchmarks/scale.py PROGRAM --mpiexec mpiexec --write     # also into benchmarks/results/ranks-YYYY-MM-DD.md

| part | what is done | what must hold |
|---|---|---|
| bits | 1, 2, 4 and 8 ranks of 1 and 2 threads; full batch, 8,192, 1,024 in 8 micro-batches; SGD, AdamW, Muon; sparse, dense; the library's own ABI and that of MPI 5, if it has both | all models equal that of one process |
| speed | 2 ranks of 1 thread and 1 rank of 2 threads in turns, batches of 8,192 | the ratio of their times; at most 1.10 for 784-128-10, 1.05 for 784-1024-1024-10 |
| micro | 8 micro-batches and 2 in turns, one process, batches of 8,192 | at most 1.03 |
| before | one process of this program and of an earlier one, `--before`, in turns, batches of 8,192 | at most 1.01 |
| kills | SIGKILL to a random rank at a random moment, then the same command with 1, 2 or 4 ranks | the model of the undisturbed run; at most one checkpoint interval (here an epoch) lost; all processes gone within 5 s |
| sweep | 27 runs with --halve by one process and by 2 and 4 ranks | equal tables |

Times of more ranks than cores mean nothing, because ranks wait busily: `speed` uses two. MNIST is taken if GRADUS_DATA has its
folder `mnist`, for `bits` the first 9,000 images of it, else the built-in digits. It needs Python 3.11, no packages, and
Linux. A part that does not hold ends the script with status 1.

What else docs/scale.md promises is measured by

| script | what |
|---|---|
| `streamed.py` | training on shards: the bits, the rate and the accuracy of training in memory |
| `shards.py` | packing, verifying, evaluating and predicting shards in bounded memory |
| `grid_search.py` | scikit-learn's grid search by processes |
| `scale_peers.py` | PyTorch's DDP, Spark and scikit-learn's `partial_fit` on the same work |
"""

import argparse
import datetime
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine

# More ranks than cores, also as root: names of Open MPI, which MPICH does not read.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


class Failed(Exception):
    """A promise that did not hold."""


def found(program):
    """The path of a program, which may be a name to look for; links stay, as a launcher looks for its files beside its own."""
    return os.path.abspath(shutil.which(program) or sys.exit(f"there is no program {program}"))


class Job:
    """A folder, the program, a launcher, and the library of MPI if it is not the one that the program finds."""

    def __init__(self, program, mpiexec, library=None):
        # Jobs run in folders of their own: no path may be relative.
        self.program, self.mpiexec = found(program), mpiexec and found(mpiexec)
        self.library = library
        self.folder = Path(tempfile.mkdtemp(prefix="gradus-scale-"))

    def words(self, command, ranks=None):
        words = [self.program, *command.split()]
        if ranks:
            words = [self.mpiexec, "-n", str(ranks), *words, "--mpi"]
        return words

    def environment(self):
        path = os.environ["PATH"]
        if self.mpiexec:
            path = f"{Path(self.mpiexec).resolve().parent}:{path}"
        library = {"GRADUS_MPI": str(self.library)} if self.library else {}
        return {**os.environ, **ALLOWED, **library, "PATH": path}

    def run(self, command, ranks=None):
        words = self.words(command, ranks)
        done = subprocess.run(words, cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"status {done.returncode} of `{' '.join(words)}`: {done.stderr.strip()[-500:]}")
        return done.stdout

    def digest(self, name="model.safetensors"):
        """SHA-256 of the tensors of a model; its notes hold what was typed."""
        content = (self.folder / name).read_bytes()
        header = int.from_bytes(content[:8], "little")
        return hashlib.sha256(content[8 + header :]).hexdigest()


def bits(job, options):
    data = digits_of(job)
    digests = {}
    for library in libraries(job.mpiexec):
        digests[library] = bits_of(Job(job.program, job.mpiexec, library), data)
    first, *others = digests.values()
    # Those of the launchers before, too.
    options.digests = options.digests or first
    if any(other != options.digests for other in [first, *others]):
        raise Failed("the libraries give different models")
    names = ", ".join(library.name if library else "the one that the program finds" for library in digests)
    runs = len(digests) * len(first) * len(RANKS) * len(THREADS)
    rows = [[*key, digest[:16]] for key, digest in first.items()]
    head = ["inputs", "optimizer", "batch", "SHA-256 of the model"]
    what = data if data == "digits" else "9,000 images of MNIST"
    return f"{runs} runs; {what}; libraries: {names}. All models are equal:\n\n" + table(head, rows)


RANKS = (1, 2, 4, 8)
THREADS = (1, 2)
BATCHES = {
    "full batch": "--batch-size full --micro-batches 8",
    "8,192": "--batch-size 8192 --micro-batches 8",
    "1,024": "--batch-size 1024 --micro-batches 8",
}


def bits_of(job, data):
    """What is trained -> the digest of the model of one process, which is that of all ranks and threads."""
    digests = {}
    for inputs, normalize in {"sparse": "", "dense": "--normalize standard"}.items():
        for optimizer in ("sgd", "adamw", "muon"):
            for batch, options in BATCHES.items():
                command = (
                    f"train --data {data} --hidden 48,32 --epochs 2 --optimizer {optimizer} --learning-rate 0.01"
                    f" {normalize} {options} --out model.safetensors -q"
                )
                job.run(f"{command} --threads 1")
                digests[inputs, optimizer, batch] = expected = job.digest()
                for ranks in RANKS:
                    for threads in THREADS:
                        (job.folder / "model.safetensors").unlink()
                        job.run(f"{command} --threads {threads}", ranks)
                        if job.digest() != expected:
                            raise Failed(f"{ranks} ranks of {threads} threads give another model: {command}")
    return digests


def libraries(mpiexec):
    """Those that go with a launcher: the one that the program finds, and the one of MPI 5 beside it."""
    standard = Path(mpiexec).resolve().parent.parent / "lib" / "libmpi_abi.so.1"
    return [None, standard] if standard.exists() else [None]


def digits_of(job):
    """A folder with some of MNIST, or the name of the built-in digits."""
    source = Path(os.environ.get("GRADUS_DATA") or ".") / "mnist"
    place = job.folder / "images"
    place.mkdir(exist_ok=True)
    for part, count in (("train", 9000), ("t10k", 1000)):
        # The header of an IDX file, then the number of samples in four bytes, then what each sample has.
        for kind, size in (("images-idx3", 784), ("labels-idx1", 1)):
            name = f"{part}-{kind}-ubyte"
            packed = source / f"{name}.gz"
            if not packed.exists():
                return "digits"
            content = gzip.decompress(packed.read_bytes())
            header = len(content) - int.from_bytes(content[4:8], "big") * size
            head = content[:4] + count.to_bytes(4, "big") + content[8:header]
            (place / name).write_bytes(head + content[header : header + count * size])
    return place


def epoch_seconds(job, command, ranks=None):
    """The fastest epoch and the accuracy of the model."""
    lines = [json.loads(line) for line in job.run(f"{command} --json", ranks).splitlines()]
    seconds = [line["seconds"] for line in lines if "epoch" in line and "seconds" in line]
    return min(seconds), lines[-1].get("test_accuracy")


def in_turns(rounds, first, second):
    """The ratios of the first's times to the second's, and the accuracies."""
    ratios, accuracies = [], set()
    for turn in range(rounds):
        pair = [first, second] if turn % 2 == 0 else [second, first]
        found = {run: run() for run in pair}
        ratios.append(found[first][0] / found[second][0])
        accuracies |= {found[first][1], found[second][1]}
    return ratios, accuracies


def trained(hidden):
    """The command that trains a network of which the fastest epoch is taken; of a small one, more epochs."""
    return f"train --hidden {hidden} --epochs {EPOCHS[hidden]} --batch-size 8192 --out model.safetensors"


# Hidden layers -> epochs. Those of the small network take tens of milliseconds.
EPOCHS = {"128": 20, "1024,1024": 3}


def speed(job, options):
    rows = []
    for hidden, limit in zip(EPOCHS, (1.10, 1.05)):
        command = f"{trained(hidden)} --micro-batches 2"
        ratios, accuracies = in_turns(
            options.rounds,
            lambda: epoch_seconds(job, f"{command} --threads 1", 2),
            lambda: epoch_seconds(job, f"{command} --threads 2", 1),
        )
        rows.append(ratio_row(f"784-{hidden.replace(',', '-')}-10: 2 ranks x 1 thread over 1 x 2", ratios, limit, accuracies))
    return table(RATIOS, rows)


def micro(job, options):
    rows = []
    command = f"{trained('128')} --threads 2"
    ratios, accuracies = in_turns(
        options.rounds,
        lambda: epoch_seconds(job, f"{command} --micro-batches 8"),
        lambda: epoch_seconds(job, f"{command} --micro-batches 2"),
    )
    rows.append(ratio_row("784-128-10: 8 micro-batches over 2", ratios, 1.03, accuracies))
    return table(RATIOS, rows)


def before(job, options):
    if not options.before:
        return "left out: no --before"
    rows = []
    earlier = Job(options.before, None)
    for hidden in EPOCHS:
        command = f"{trained(hidden)} --threads 2"
        ratios, accuracies = in_turns(
            options.rounds, lambda: epoch_seconds(job, command), lambda: epoch_seconds(earlier, command)
        )
        rows.append(ratio_row(f"784-{hidden.replace(',', '-')}-10: this program over the earlier one", ratios, 1.01, accuracies))
    shutil.rmtree(earlier.folder)
    return table(RATIOS, rows)


RATIOS = ["work", "median ratio", "from", "to", "asked", "accuracies"]


def ratio_row(name, ratios, limit, accuracies):
    figures = [statistics.median(ratios), min(ratios), max(ratios)]
    shown = ", ".join(f"{100 * it:.2f} %" for it in sorted(accuracies) if it is not None)
    return [name, *(f"{it:.3f}" for it in figures), f"{limit:.2f}", shown]


def kills(job, options):
    draw = random.Random(options.seed)
    points = [(at % 3, at * 0.7 % 7, at * at % 11) for at in range(3000)]
    rows = [f"{kind + turn % 1:.3f},{turn:.3f},{other},{'abc'[kind]}" for kind, turn, other in points]
    (job.folder / "table.csv").write_text("\n".join(["u,v,w,label", *rows]) + "\n")
    # Few steps: ranks without cores of their own take long for each.
    command = (
        "train --data table.csv --normalize standard --hidden 300,200 --epochs 20 --batch-size 512 --micro-batches 8"
        " --threads 1 --json --checkpoint run --continue --out model.safetensors"
    )
    job.run(command.replace("--checkpoint run --continue", ""))
    expected = job.digest()
    begin = time.monotonic()
    job.run(command, 2)
    whole = time.monotonic() - begin
    slowest = most_lost = done = relaunched = runs = 0
    while done < options.kills:
        (job.folder / "run").unlink(missing_ok=True)
        (job.folder / "model.safetensors").unlink(missing_ok=True)
        reported = 0
        while True:
            ranks = draw.choice([1, 2, 4])
            lines = job.folder / "lines"
            with lines.open("wb") as out:
                process = subprocess.Popen(
                    job.words(command, ranks), cwd=job.folder, env=job.environment(),
                    stdout=out, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            if done < options.kills:
                time.sleep(draw.uniform(0, whole))
            victims = processes(job)
            is_killed = done < options.kills and victims and process.poll() is None
            if is_killed:
                os.kill(draw.choice(victims), signal.SIGKILL)
                done += 1
            killed = time.monotonic()
            status = process.wait()
            if is_killed:
                while processes(job):
                    if time.monotonic() - killed > 30:
                        raise Failed("processes are left after 30 s")
                    time.sleep(0.01)
                slowest = max(slowest, time.monotonic() - killed)
            # A rank that is killed may leave half a line.
            whole_lines = [json.loads(line) for line in lines.read_text().splitlines() if line.endswith("}")]
            epochs = [line["epoch"] for line in whole_lines if line.get("event") == "epoch"]
            if epochs and reported:
                # An epoch that was reported before the kill and is trained again was lost.
                most_lost = max(most_lost, reported - min(epochs) + 1)
            reported = max([reported, *epochs])
            relaunched += 1
            if status == 0:
                break
        runs += 1
        if job.digest() != expected:
            raise Failed(f"after {done} kills the model is another one")
    if slowest > 5:
        raise Failed(f"it took {slowest:.1f} s until all processes were gone")
    if most_lost > 1:
        raise Failed(f"{most_lost} epochs were lost, with a checkpoint after each")
    return (
        f"{done} kills in {runs} runs of {relaunched} launches; every run ended with the model of the undisturbed one "
        f"({expected[:16]}); at most {most_lost} epoch was trained again, with a checkpoint after each; all processes were "
        f"gone within {slowest:.2f} s."
    )


def processes(job):
    """The ranks that work in the folder."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                here = os.readlink(f"/proc/{entry}/cwd") == str(job.folder)
                if here and os.readlink(f"/proc/{entry}/exe") == str(Path(job.program).resolve()):
                    found.append(int(entry))
            except OSError:
                pass  # It has ended meanwhile.
    return found


def sweep(job, _):
    command = (
        "sweep --vary learning-rate=0.0001..0.1:log --vary hidden=8..64:int --runs 27 --halve --jobs 1 --out {}"
        " -- --data digits --epochs 9 --batch-size 256 --validation 0.2 --threads 1"
    )

    def found(name, ranks):
        # Options of the program end at the first `--`.
        words = command.format(name)
        if ranks:
            words = words.replace(" -- ", " --mpi -- ", 1)
        lines = subprocess.run(
            ([job.mpiexec, "-n", str(ranks)] if ranks else []) + [job.program, *words.split()],
            cwd=job.folder, env=job.environment(), capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        # The seconds differ, and so do their digits.
        return re.sub(r"(?m)^(\d+ .*?)\s+\d+\.\d\d(\s+[a-z])", r"\1\2", lines)

    alone = found("alone.jsonl", None)
    for ranks in (2, 4):
        if found(f"{ranks}.jsonl", ranks) != alone:
            raise Failed(f"{ranks} ranks give another table")
    return "27 runs: the tables of one process, of 2 and of 4 ranks are equal."


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def launcher_name(launcher):
    said = subprocess.run([launcher, "--version"], capture_output=True, text=True).stdout
    if found := re.search(r"HYDRA.*?Version:\s*(\S+)", said, re.DOTALL):
        return f"MPICH {found[1]}"
    return said.strip().split("\n")[0] or "MPI"


PARTS = {"bits": bits, "speed": speed, "micro": micro, "before": before, "kills": kills, "sweep": sweep}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--mpiexec", required=True, help="launchers, separated by commas")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--before", help="an earlier version of the program, for the part of that name")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    options.digests = None
    pages, failed = [], False
    for launcher in options.mpiexec.split(","):
        job = Job(options.program, launcher)
        name = launcher_name(job.mpiexec)
        for part in options.only.split(","):
            begin = time.monotonic()
            try:
                text = PARTS[part](job, options)
            except Failed as error:
                failed, text = True, f"FAILED: {error}"
            pages.append(f"## {part}, {name}\n\n{text}\n")
            print(f"{pages[-1]}\n({time.monotonic() - begin:.0f} s)\n", flush=True)
        shutil.rmtree(job.folder)
    if options.write:
        today = datetime.date.today().isoformat()
        path = Path(__file__).resolve().parent / "results" / f"ranks-{today}.md"
        here = "\n".join(f"- {name}: {value}" for name, value in machine.describe(2).items())
        path.write_text(f"# Several processes, {today}\n\n{here}\n\n" + "\n".join(pages))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
