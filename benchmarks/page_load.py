#!/usr/bin/env python3
"""How the page of `gradus serve` holds out: a run trains while pages watch it and people draw.

    python3 benchmarks/page_load.py                          50 watching, 20 drawing, 5 rounds
    python3 benchmarks/page_load.py --rounds 3 --rate 20

Needs Python 3.11, a built gradus (or Rust, to build it) and MNIST on this machine. In turns the same
run is trained without and with company, in a server of its own. Each drawer sends the image of a
stroke that grows, RATE times a second, as the page does while the pen moves; each watcher reads all
events. Reported are the time from an image to its answer, the run's time in epochs' seconds, and
every error. The load is made on the same cores. Results are written to
benchmarks/results/page-load-DATE.md with --write.
"""

import argparse
import asyncio
import datetime
import json
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine
from harness.setup import Failed, build_gradus, say

HERE = Path(__file__).resolve().parent
SIDE = 280
OPTIONS = {"hidden": "256", "epochs": "200", "schedule": "constant", "validation": "0.1"}


def main():
    args = arguments()
    gradus = build_gradus(args.gradus)
    rounds = {"alone": [], "in company": []}
    for number in range(args.rounds):
        # Whoever begins takes turns too.
        for name in sorted(rounds, reverse=number % 2 == 1):
            company = name == "in company"
            found = asyncio.run(measure(gradus, args, company))
            rounds[name].append(found)
            say(f"round {number + 1}, {name}: {told(found)}")
    text = report(args, rounds)
    print(text)
    if args.write:
        path = HERE / "results" / f"page-load-{datetime.date.today()}.md"
        path.write_text(text)
        say(f"wrote {path}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=50)
    parser.add_argument("--drawers", type=int, default=20)
    parser.add_argument("--rate", type=float, default=5, help="images a second of each drawer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=int(OPTIONS["epochs"]))
    parser.add_argument("--data-dir", type=Path, help="folder in which mnist lies")
    parser.add_argument("--gradus", type=Path, help="the program [default: built anew]")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


async def measure(gradus, args, company):
    """A run's seconds, with the answers' times and the number of events where there is company."""
    with tempfile.TemporaryDirectory() as folder:
        quick = ["--data", "mnist", "--no-download", "--quiet", "--out", "model.safetensors"]
        data = ["--data-dir", str(args.data_dir.resolve())] if args.data_dir else []
        subprocess.run([gradus, "train", *quick, *data], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(
            [gradus, "serve", "--port", "0", "--no-download", *data],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            address = server.stdout.readline().split("http://")[1].split("/")[0]
            return await load(address, args, company)
        finally:
            server.terminate()
            server.wait()


async def load(address, args, company):
    over = asyncio.Event()
    found = {"answers": [], "events": 0, "errors": []}
    tasks = []
    if company:
        tasks += [asyncio.create_task(watch(address, over, found)) for _ in range(args.watchers)]
        tasks += [
            asyncio.create_task(draw(address, over, found, args.rate, number / args.drawers))
            for number in range(args.drawers)
        ]
    options = {**OPTIONS, "epochs": str(args.epochs)}
    body = json.dumps({"data": "mnist", "preset": "quick", "options": options}).encode()
    client = await Client.connect(address)
    _, answer = await client.ask("POST", "/api/runs", body, "application/json")
    run = json.loads(answer)["id"]
    begin = time.perf_counter()
    while True:
        await asyncio.sleep(0.5)
        status, answer = await client.ask("GET", f"/api/runs/{run}")
        state = json.loads(answer)
        if status != 200 or state["state"] in ("failed", "diverged"):
            raise Failed(f"the run failed: {answer.decode()}")
        if state["state"] == "finished":
            break
    found["wall"] = time.perf_counter() - begin
    found["seconds"] = sum(epoch["seconds"] for epoch in state["history"])
    found["accuracy"] = state["test"]["accuracy"]
    over.set()
    for task in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(task, Exception):
            found["errors"].append(repr(task))
    client.close()
    return found


class Client:
    """A connection that is kept, and as little beside it as can be: it shares the cores."""

    def __init__(self, address, reader, writer):
        self.address, self.reader, self.writer = address, reader, writer

    @classmethod
    async def connect(cls, address):
        host, port = address.split(":")
        return cls(address, *await asyncio.open_connection(host, int(port)))

    async def ask(self, method, path, body=b"", kind=""):
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.address}\r\n"
        if body:
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        return int(answer.split(b" ")[1]), await self.reader.readexactly(int(length))

    def close(self):
        self.writer.close()


async def watch(address, over, found):
    client = await Client.connect(address)
    client.writer.write(f"GET /api/events HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    head = await client.reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head:
        raise Failed(head.decode())
    while not over.is_set():
        try:
            read = await asyncio.wait_for(client.reader.read(1 << 16), 1)
        except TimeoutError:
            continue
        if not read:
            raise Failed("the stream of events broke off")
        found["events"] += read.count(b"event: ")
    client.close()


async def draw(address, over, found, rate, phase):
    images = [stroke(length) for length in range(20, 220, 10)]
    client = await Client.connect(address)
    await asyncio.sleep(phase / rate)
    due = time.perf_counter()
    number = 0
    while not over.is_set():
        begin = time.perf_counter()
        status, answer = await client.ask("POST", "/api/answer", images[number % 20], "image/png")
        found["answers"].append(time.perf_counter() - begin)
        if status != 200 or b'"label":' not in answer:
            raise Failed(answer.decode())
        number += 1
        due += 1 / rate
        await asyncio.sleep(max(0, due - time.perf_counter()))
    client.close()


def stroke(length):
    """A PNG of the drawing area with a stroke of this length: colours with an alpha, as a canvas gives."""
    white, black = b"\xff\xff\xff\xff", b"\x00\x00\x00\xff"
    row = lambda y: b"\0" + (white * 130 + black * 20 + white * 130 if 30 <= y < 30 + length else white * SIDE)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(map(row, range(SIDE))), 6)), (b"IEND", b"")]
    whole = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole(*chunk) for chunk in chunks)


def share(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


def told(found):
    text = f"{found['seconds']:.2f} s of epochs, accuracy {100 * found['accuracy']:.2f} %"
    if found["answers"]:
        times = [1e3 * share(found["answers"], part) for part in (0.5, 0.95, 1)]
        text += ", {} answers in {:.1f} ms (median), {:.1f} (95 %), {:.1f} (all)".format(len(found["answers"]), *times)
        text += f", {found['events']} events, {len(found['errors'])} errors {' '.join(found['errors'][:3])}"
    return text


def report(args, rounds):
    alone, company = rounds["alone"], rounds["in company"]
    seconds = lambda some: median(found["seconds"] for found in some)
    answers = [answer for found in company for answer in found["answers"]]
    ratio = median(b["seconds"] / a["seconds"] for a, b in zip(alone, company))
    errors = sum(len(found["errors"]) for found in alone + company)
    asked = len(answers) / sum(found["wall"] for found in company)
    accuracy = 100 * median(found["accuracy"] for found in alone + company)
    lines = [
        f"# The page under load, {datetime.date.today()}",
        "",
        f"`python3 benchmarks/page_load.py --rounds {args.rounds} --epochs {args.epochs} --rate {args.rate:g} --write`: {args.watchers} pages",
        f"watch and {args.drawers} people draw, {args.rate:g} images a second each, while 784-256-10 is trained on",
        f"MNIST for {args.epochs} epochs (test accuracy {accuracy:.2f} %); in turns with the same run alone. The load is made on",
        "the same cores.",
        "",
        "| | found |",
        "|---|---|",
        f"| answers | {len(answers)}, {asked:.0f} a second |",
        f"| from image to answer, median | {1e3 * share(answers, 0.5):.1f} ms |",
        f"| 95th percentile | {1e3 * share(answers, 0.95):.1f} ms |",
        f"| slowest | {1e3 * share(answers, 1):.1f} ms |",
        f"| errors | {errors} |",
        f"| the run's epochs alone, median of {len(alone)} | {seconds(alone):.2f} s |",
        f"| in company | {seconds(company):.2f} s |",
        f"| ratio, median of pairs | {ratio:.2f} |",
        "",
        *(f"- {name}: {value}" for name, value in machine.describe(2).items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"error: {failure}")
