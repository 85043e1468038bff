#!/usr/bin/env python3
"""Measures what docs/formats.md promises of shards: packing and bulk prediction in bounded memory.

    python3 benchmarks/shards.py PROGRAM
    python3 benchmarks/shards.py PROGRAM --samples 8100000 --folder /big/disk     # 6.35 GB of digits
    python3 benchmarks/shards.py PROGRAM --sources                                # packing files of more than 1 GB alone

| part | what is done | what must hold |
|---|---|---|
| pack | digits are drawn and packed in their order, then these shards are shuffled into others | at least 100 MB/s of inputs for the shuffle; at most 300 MB of memory |
| verify | all files are read and compared with their digests | at most 300 MB |
| predict | all samples of shards and of one array by 784-256-10, into an array | at least 0.8 of the rate of predicting the same samples in memory or of the disk, whichever is less; at most 300 MB; equal predictions |
| sources | a table of 1.1 GB in text, the same in two compressed files, and an .npz of 1.2 GB are packed under `prlimit --data=300000000` | it succeeds |
| evaluate | the same model on the shards, and on the same samples in an .npz, in memory | at most 300 MB for the shards; equal figures |

It needs Python 3.11 and Linux, and for predictions in memory NumPy and the Python package of gradus, built as the program is: without
them the rate of evaluating the samples in memory, which includes loading them, takes its place. A part that does not hold ends the script with status 1.
"""

import argparse
import filecmp
import gzip
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

MEMORY = 300e6
ROW = 784


class Failed(Exception):
    """A promise that did not hold."""


def run(program, folder, command, limit=None):
    """Runs a command, with a limit of its own memory in bytes: its output, seconds and peak of resident memory in bytes."""
    read, write = os.pipe()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.dup2(write, 1)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        os.execv(program, [program, *command.split()])
    os.close(write)
    with os.fdopen(read) as pipe:
        output = pipe.read()
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - begin
    if status != 0:
        raise Failed(f"status {status} of `{command}`")
    return output, seconds, usage.ru_maxrss * 1024


def in_memory_rate(folder):
    """Bytes a second of predicting digits that are in memory; none without the packages."""
    try:
        import numpy
        from gradus import MLPClassifier
    except ImportError:
        return None
    rows = numpy.load(folder / "one/shard-00000.npy").reshape(-1, ROW)
    model = MLPClassifier.load(folder / "model.safetensors")
    seconds = []
    for _ in range(3):
        begin = time.monotonic()
        model.predict_proba(rows)
        seconds.append(time.monotonic() - begin)
    return rows.nbytes / sorted(seconds)[1]


def check(what, memory):
    if memory > MEMORY:
        raise Failed(f"{what} took {memory / 1e6:.0f} MB")


def disk_rate(path):
    """Bytes a second of reading a file without the cache."""
    with open(path, "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        begin, count = time.monotonic(), 0
        while piece := file.read(4 << 20):
            count += len(piece)
        return count / (time.monotonic() - begin)


def write_sources(folder):
    """Writes a table of numbers with a label, the same in two compressed files, and an archive of floats."""
    lines = []
    for row in range(100_000):
        numbers = [f"{(row * (at + 3) * 7919 % 10007) / 100:.2f}" for at in range(20)]
        lines.append(",".join([*numbers, f"kind {row % 7}"]) + "\n")
    header, block = ",".join(f"c{at}" for at in range(20)) + ",label\n", "".join(lines)
    count = -(-1_100_000_000 // len(block))
    with open(folder / "table.csv", "w") as file:
        file.write(header)
        for _ in range(count):
            file.write(block)
    (folder / "parts").mkdir()
    packed = gzip.compress(block.encode(), 1)
    for part in range(2):
        # Compressed pieces one behind the other are one file.
        with open(folder / "parts" / f"part-{part}.csv.gz", "wb") as file:
            file.write(gzip.compress(header.encode()))
            for _ in range(count // 2 + part * (count % 2)):
                file.write(packed)
    samples = 3_000_000
    with zipfile.ZipFile(folder / "data.npz", "w") as archive:
        for name, kind, shape, row in [("x_train", "<f4", (samples, 100), 400), ("y_train", "|u1", (samples,), 1)]:
            text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
            with archive.open(f"{name}.npy", "w", force_zip64=False) as file:
                file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())
                for first in range(0, samples, 10_000):
                    piece = bytes((first + at) % 61 for at in range(min(10_000, samples - first) * row // 100))
                    file.write(piece * 100)
    return count * 100_000, samples


def pack_sources(program, folder):
    """Packs files of more than 1 GB within the limit."""
    rows, samples = write_sources(folder)
    print("| source | samples | s | MB/s | MB of memory |\n|---|---|---|---|---|")
    for source, expected in [("table.csv", rows), ("parts", rows), ("data.npz", samples)]:
        path = folder / source
        files = path.iterdir() if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files)
        output, seconds, memory = run(program, folder, f"data pack {source} shards --json", int(MEMORY))
        if json.loads(output)["samples"] != expected:
            raise Failed(f"{source}: {output}")
        shutil.rmtree(folder / "shards")
        figures = [f"{seconds:.1f}", f"{size / 1e6 / seconds:.0f}", f"{memory / 1e6:.0f}"]
        print(f"| {source}, {size / 1e6:.0f} MB | {expected} | {' | '.join(figures)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where the shards are written")
    parser.add_argument("--sources", action="store_true", help="only pack files of more than 1 GB")
    options = parser.parse_args()
    program = str(Path(options.program).resolve())
    with tempfile.TemporaryDirectory(prefix="gradus-shards-", dir=options.folder) as folder:
        if options.sources:
            pack_sources(program, Path(folder))
            return
        size = options.samples * ROW
        rows = []

        def measured(what, command, scale=size):
            output, seconds, memory = run(program, folder, command)
            check(what, memory)
            rate = scale / 1e6 / seconds
            rows.append((what, f"{seconds:.1f}", f"{rate:.0f}", f"{memory / 1e6:.0f}"))
            return output, rate

        measured("draw digits and pack them in order", f"data pack digits plain --samples {options.samples} --no-shuffle")
        _, rate = measured("shuffle the shards into others", "data pack plain shards")
        if rate < 100:
            raise Failed(f"packing took {rate:.0f} MB/s")
        measured("verify", "data shards --verify")
        measured("one shard of all", f"data pack shards one --no-shuffle --shard-rows {options.samples}")
        run(program, folder, "train --data digits --hidden 256 --epochs 3 -q --out model.safetensors")
        _, bulk = measured("predict shards", "predict model.safetensors shards --out p.npy")
        measured("predict one array", "predict model.safetensors one/shard-00000.npy --out q.npy")
        # Not read whole: a child counts the memory of this process as its own.
        if not filecmp.cmp(Path(folder) / "p.npy", Path(folder) / "q.npy", shallow=False):
            raise Failed("the predictions of shards and of an array differ")
        _, streamed = measured("evaluate shards", "evaluate model.safetensors --data shards --json")
        with zipfile.ZipFile(Path(folder) / "all.npz", "w") as archive:
            archive.write(Path(folder) / "one/shard-00000.npy", "x_train.npy")
            archive.write(Path(folder) / "one/shard-00000.targets.npy", "y_train.npy")
        command = "evaluate model.safetensors --data all.npz --json"
        output, seconds, memory = run(program, folder, command)
        in_memory = size / 1e6 / seconds
        rows.append(("evaluate the same in memory", f"{seconds:.1f}", f"{in_memory:.0f}", f"{memory / 1e6:.0f}"))
        figures = [json.loads(run(program, folder, f"evaluate model.safetensors --data {data} --json")[0])
                   for data in ("shards", "all.npz")]  # fmt: skip
        if {**figures[0], "data": ""} != {**figures[1], "data": ""}:
            raise Failed("the figures of shards and of the samples in memory differ")
        disk = disk_rate(Path(folder) / "one/shard-00000.npy") / 1e6
        print("| what | s | MB/s | MB of memory |\n|---|---|---|---|")
        for row in rows:
            print(f"| {' | '.join(row)} |")
        accuracy = json.loads(output)["accuracy"]
        print(f"\n{options.samples} digits; accuracy {100 * accuracy:.2f} %; reading the disk {disk:.0f} MB/s")
        predicted = in_memory_rate(Path(folder))
        if predicted is not None:
            predicted /= 1e6
            print(f"predicting the same in memory {predicted:.0f} MB/s")
        share = bulk / min(disk, predicted or in_memory)
        print(f"bulk prediction reaches {share:.2f} of the lesser of disk and memory; evaluation {streamed / in_memory:.2f} of memory")
        if share < 0.8:
            raise Failed("bulk prediction is too slow")


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"failed: {error}")
