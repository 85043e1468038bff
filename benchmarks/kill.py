#!/usr/bin/env python3
"""Kills gradus with SIGKILL at random moments and checks that nothing is lost.

    python3 benchmarks/kill.py PROGRAM                      # 1,000 kills
    python3 benchmarks/kill.py PROGRAM --kills 100 --seed 7
    python3 benchmarks/kill.py PROGRAM --write              # also into benchmarks/results/kill-YYYY-MM-DD.md

Each kind of work is killed in turn: training from the beginning, resuming a checkpoint, a sweep, exports, reports and
saving on the page. Half of the kills come at a uniformly random moment of the uninterrupted work's time, half are aimed
at a write: they come within 3 ms after a temporary file has appeared. After each kill

- every file under its final name can be read (`gradus inspect`, JSON) or is byte for byte the old or the new one;
- a checkpoint, resumed, gives the model of the uninterrupted run, bit for bit; a sweep, repeated, has the same results;
- after the next complete run no lock and no temporary file is left.

It needs Python 3.11 and no packages. A failed check prints the folder, which is then kept, and ends with status 1.
"""

import argparse
import datetime
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine

TRAIN = "train --data table.csv --normalize standard --hidden 24,16 --batch-norm --ema-decay 0.9 --dropout 0.1 --seed 3 --threads 1 -q"
WHOLE = f"{TRAIN} --epochs 12"


class Failed(Exception):
    """A check that did not hold."""


class Bench:
    """A folder, the program, and how to kill it there."""

    def __init__(self, program, draw):
        self.program, self.draw = program, draw
        self.folder = Path(tempfile.mkdtemp(prefix="gradus-kill-"))
        self.hits = {"uniform": 0, "aimed": 0}

    def start(self, command):
        words = [self.program, *command.split()]
        pipe = subprocess.DEVNULL
        return subprocess.Popen(words, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe)

    def run(self, command):
        """Standard output of a command that must succeed, and its seconds."""
        begin = time.monotonic()
        done = subprocess.run(
            [self.program, *command.split()], cwd=self.folder, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failed(f"status {done.returncode} of `gradus {command}`: {done.stderr.strip()}")
        return done.stdout, time.monotonic() - begin

    def kill(self, process, seconds):
        """Kills the process at a random moment of its `seconds`, or right after a write has begun."""
        aimed = self.draw.random() < 0.5
        if aimed:
            end = time.monotonic() + 20 * seconds + 1
            while process.poll() is None and not self.hidden(".tmp") and time.monotonic() < end:
                pass
            time.sleep(self.draw.uniform(0, 0.003))
        else:
            time.sleep(self.draw.uniform(0, 1.05 * seconds))
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.hits["aimed" if aimed else "uniform"] += alive

    def hidden(self, ending=""):
        names = os.listdir(self.folder)
        return [name for name in names if name.startswith(".") and name.endswith(ending)]

    def check_tidy(self):
        if left := self.hidden():
            raise Failed(f"left behind after a complete run: {', '.join(left)}")

    def bytes(self, name):
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def inspect(self, name):
        if (self.folder / name).exists():
            self.run(f"inspect {name}")

    def remove(self, *names):
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def table(folder):
    """200 points in three classes, from a fixed formula."""
    rows = ["u,v,w,label"]
    for number in range(200):
        turn = number * 0.7
        rows.append(f"{number % 3 + turn % 1:.3f},{turn % 7:.3f},{number * number % 11},{'abc'[number % 3]}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")


class Train:
    """From the beginning, over the files of the run before or without; then resumed to its end."""

    def __init__(self, bench):
        self.bench = bench
        bench.run(f"{WHOLE} --out whole.safetensors")
        self.whole = bench.bytes("whole.safetensors")
        _, self.seconds = bench.run(f"{WHOLE} --out m.safetensors --checkpoint c --history h.csv")

    def once(self):
        bench = self.bench
        if bench.draw.random() < 0.5:
            bench.remove("m.safetensors", "c", "h.csv")
        old = bench.bytes("m.safetensors")
        bench.kill(bench.start(f"{WHOLE} --out m.safetensors --checkpoint c --history h.csv"), self.seconds)
        self.check(old)

    def check(self, old):
        bench = self.bench
        if bench.bytes("m.safetensors") not in (old, self.whole):
            raise Failed("the model is neither the old one nor the new one")
        bench.inspect("c")
        resume = "--resume c" if bench.bytes("c") else "--data table.csv"
        again = f"train {resume} -q --out m.safetensors" if bench.bytes("c") else f"{WHOLE} --out m.safetensors"
        bench.run(f"{again} --history h.csv --checkpoint c")
        if bench.bytes("m.safetensors") != self.whole:
            raise Failed(f"`{again}` gives another model")
        bench.check_tidy()


class Resume(Train):
    """A run that is resumed from an early checkpoint, which it goes on writing."""

    def __init__(self, bench):
        super().__init__(bench)
        process = bench.start(f"{TRAIN} --epochs 12 --out m.safetensors --checkpoint early")
        # The checkpoint of any of the first epochs will do.
        while not (bench.folder / "early").exists():
            time.sleep(0.001)
        process.kill()
        process.wait()
        # No later run writes this file, so none would clear what this one has left.
        bench.remove(*bench.hidden())

    def once(self):
        bench = self.bench
        shutil.copyfile(bench.folder / "early", bench.folder / "c")
        old = bench.bytes("m.safetensors")
        bench.kill(bench.start("train --resume c -q --out m.safetensors --history h.csv"), self.seconds)
        self.check(old)


class Sweep:
    """Lines of results are whole; the sweep, repeated, ends with the same figures."""

    def __init__(self, bench):
        self.bench = bench
        self.command = "sweep --out s.jsonl --jobs 1 --vary epochs=2/3/4/5 -- --data table.csv --hidden 8 --validation 0.1 --threads 1"
        _, self.seconds = bench.run(self.command)
        self.whole = self.figures()

    def figures(self):
        lines = [json.loads(line) for line in (self.bench.bytes("s.jsonl") or b"").splitlines()]
        for line in lines:
            line.pop("seconds")
        return sorted(lines, key=lambda line: line["run"])

    def once(self):
        bench = self.bench
        bench.remove("s.jsonl")
        bench.kill(bench.start(self.command), self.seconds)
        content = bench.bytes("s.jsonl") or b""
        for line in content.split(b"\n")[:-1]:
            json.loads(line)
        bench.run(self.command)
        if self.figures() != self.whole:
            raise Failed("the sweep, repeated, has other results")
        bench.check_tidy()


class Export:
    """Every format: the old file or the new one."""

    def __init__(self, bench):
        self.bench = bench
        options = "--data table.csv --epochs 1 --threads 1 -q"
        bench.run(f"train {options} --hidden 600,600 --out large.safetensors")
        bench.run(f"train {options} --hidden 8 --out small.safetensors")
        self.works = []
        for target, command in [
            ("e.onnx", "export large.safetensors e.onnx"),
            ("e.npz", "export large.safetensors e.npz"),
            ("e.safetensors", "export large.safetensors e.safetensors"),
            ("r.html", "report small.safetensors --data table.csv --threads 1 -o r.html"),
        ]:
            _, seconds = bench.run(command)
            self.works.append((target, command, seconds, bench.bytes(target)))

    def once(self):
        bench = self.bench
        target, command, seconds, whole = bench.draw.choice(self.works)
        old = bench.draw.choice([None, whole])
        if old is None:
            bench.remove(target)
        bench.kill(bench.start(command), seconds)
        if bench.bytes(target) not in (old, whole):
            raise Failed(f"{target} is neither the old one nor the new one")
        bench.run(command)
        if bench.bytes(target) != whole:
            raise Failed(f"`{command}` gives another file")
        bench.check_tidy()


class Page:
    """Models that are saved on the page, again and again, until the server is killed."""

    def __init__(self, bench):
        self.bench = bench

    def ask(self, address, method, path, body=None):
        client = http.client.HTTPConnection(address, timeout=60)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        client.request(method, path, None if body is None else json.dumps(body), headers)
        answer = client.getresponse()
        content = json.loads(answer.read())
        if answer.status not in (200, 201):
            raise Failed(f"{method} {path}: {answer.status} {content}")
        return content

    def once(self):
        bench = self.bench
        server = subprocess.Popen(
            [bench.program, "serve", "--port", "0", "--no-download"],
            cwd=bench.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            address = server.stdout.readline().split("http://")[1].split("/")[0]
            options = {"hidden": "16", "epochs": "1", "batch-size": "1000"}
            run = self.ask(address, "POST", "/api/runs", {"data": "digits", "preset": "quick", "options": options})["id"]
            while self.ask(address, "GET", f"/api/runs/{run}")["state"] != "finished":
                time.sleep(0.02)
            # This save is complete: it clears what the killed server before has left.
            begin = time.monotonic()
            save = {"name": "page.safetensors", "replace": True}
            self.ask(address, "POST", f"/api/runs/{run}/save", save)
            seconds = time.monotonic() - begin
            bench.check_tidy()

            def again():
                try:
                    while True:
                        self.ask(address, "POST", f"/api/runs/{run}/save", save)
                except (OSError, http.client.HTTPException, ValueError):
                    pass  # killed

            saves = threading.Thread(target=again)
            saves.start()
            bench.kill(server, 10 * seconds)
            saves.join()
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        bench.inspect("page.safetensors")
        bench.run("export page.safetensors page.safetensors")
        bench.check_tidy()


# What is killed, and how often of 1,000 times.
KINDS = {"train": (Train, 300), "resume": (Resume, 200), "sweep": (Sweep, 150), "export and report": (Export, 250), "page": (Page, 100)}


def campaign(kind, kills, program, seed):
    """A row of the table."""
    bench = Bench(program, random.Random(f"{seed} {kind}"))
    table(bench.folder)
    begin = time.monotonic()
    try:
        work = KINDS[kind][0](bench)
        for number in range(kills):
            try:
                work.once()
            except Failed as failure:
                raise SystemExit(f"{kind}, kill {number}: {failure}; see {bench.folder}") from None
    except Failed as failure:
        raise SystemExit(f"{kind}: {failure}; see {bench.folder}") from None
    shutil.rmtree(bench.folder)
    row = [kind, kills, bench.hits["uniform"], bench.hits["aimed"], f"{time.monotonic() - begin:.0f}"]
    print(*row, sep="\t", flush=True)
    return row


def report(rows, args):
    version = subprocess.run([args.program, "--version"], capture_output=True, text=True, check=True)
    kills = sum(row[1] for row in rows)
    today = datetime.date.today().isoformat()
    lines = [
        f"# Killed {kills:,} times, {today}",
        "",
        f"`python3 benchmarks/kill.py PROGRAM --kills {args.kills} --seed {args.seed} --write`, {version.stdout.strip()}:",
        "SIGKILL at random moments. No file under its final name was unreadable or other than the old or the new",
        "one, every resumed run gave the model of the uninterrupted run bit for bit, every repeated sweep the same",
        "results, and no complete run left a lock or a temporary file behind.",
        "",
        "| work | kills | before its end, at a uniform moment | before its end, within 3 ms of a write | seconds |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
        "",
        *(f"- {name}: {value}" for name, value in machine.describe(1).items()),
    ]
    return f"kill-{today}.md", "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the gradus program")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    args.program = args.program.resolve()
    print("work", "kills", "uniform hits", "aimed hits", "seconds", sep="\t", flush=True)
    total = sum(share for _, share in KINDS.values())
    rows = [campaign(kind, args.kills * share // total, args.program, args.seed) for kind, (_, share) in KINDS.items()]
    name, text = report(rows, args)
    print(text)
    if args.write:
        (Path(__file__).resolve().parent / "results" / name).write_text(text)


if __name__ == "__main__":
    main()
