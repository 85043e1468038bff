#!/usr/bin/env python3
"""Measures training on shards beside training on the same samples in memory.

    python3 benchmarks/streamed.py PROGRAM --mpiexec MPIEXEC                      # a million digits
    python3 benchmarks/streamed.py PROGRAM --only rate --samples 8100000 --folder /big/disk      # 6.35 GB of digits

| part | what is done | what must hold |
|---|---|---|
| equal | 784-64-10 learns a tenth of the samples: read piece by piece, with `--in-memory --shuffle=blocks`, by 2 ranks, and stopped within an epoch again and again and continued | one SHA-256 of all models |
| rate | an epoch of 784-256-10, read piece by piece under `prlimit --data=600000000` with the page cache dropped (`--cache filled`: full of another file), and in memory, in turns | at least 0.8 of the rate in memory |
| sorted | samples sorted by class are packed under `prlimit --data=300000000` in an exact shuffle, and trained on piece by piece; the sorted ones in memory, with a full shuffle | accuracies within 0.1 points; at least 100 MB/s are packed |

Only root can drop the page cache; without that, a line says so. It needs Python 3.11, no packages, and Linux. A part that does not
hold ends the script with status 1.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scale import Failed, Job, in_turns

# 20,000 other digits to test on.
TEST = 20_000
ROW = 784
LEARN = "--validation 0 --optimizer adamw --learning-rate 0.001 --normalize unit"


def limited(job, command, limit=None):
    """The events of a command under a limit of its own memory in bytes, and its seconds."""
    preparation = (lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))) if limit else None
    begin = time.monotonic()
    done = subprocess.run(
        job.words(f"{command} --json"), cwd=job.folder, preexec_fn=preparation, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Failed(f"status {done.returncode} of `{command}`: {done.stderr.strip()[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - begin


def epoch(job, command, limit=None):
    """The seconds of the fastest epoch, and the accuracy."""
    events, _ = limited(job, command, limit)
    return min(it["seconds"] for it in events if it.get("event") == "epoch"), events[-1]["test_accuracy"]


def equal(job, options):
    job.run(f"data pack digits few --samples {options.samples // 10} --seed 1")
    command = (
        f"train --data few --test test {LEARN} --hidden 64 --epochs 3 --batch-size 1024 --micro-batches 8 --out model.safetensors"
    )
    begin = time.monotonic()
    job.run(command)
    whole = time.monotonic() - begin
    digests = {"read piece by piece": job.digest()}
    job.run(f"{command} --in-memory --shuffle=blocks")
    digests["in memory"] = job.digest()
    if options.mpiexec:
        job.run(command, 2)
        digests["by 2 ranks"] = job.digest()
    within = stopped(job, f"{command} --checkpoint run --continue", whole, random.Random(options.seed))
    digests[f"stopped within an epoch ({within} times) and continued"] = job.digest()
    if len(set(digests.values())) > 1:
        raise Failed(f"the models differ: {digests}")
    return f"{', '.join(digests)}: one model, {job.digest()[:16]}"


def stopped(job, command, whole, draw):
    """Runs a command to its end, which takes `whole` seconds, stopping it at random moments: how often within an epoch.

    A run that ends without having been stopped there begins again: short ones rarely are.
    """
    within, ended = 0, 0
    while True:
        process = subprocess.Popen(
            job.words(command), cwd=job.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            status = process.wait(draw.uniform(0, whole) if within < 3 else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            status = process.wait()
        if status == 0:
            if within > 0:
                return within
            ended += 1
            if ended == 20:
                raise Failed("no run was stopped within an epoch: take more --samples")
            (job.folder / "run").unlink(missing_ok=True)
        elif status == 130:
            within += is_within(job.folder / "run")
        else:
            raise Failed(f"status {status} of a run that was stopped")


def is_within(checkpoint):
    """Whether a checkpoint, if there is one, is from within an epoch."""
    if not checkpoint.exists():
        return False
    content = checkpoint.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return bool(json.loads(header["__metadata__"]["checkpoint"])["progress"].get("partial"))


def drop_cache(folder):
    """Drops the page cache: whether that was allowed."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("1")
    except OSError:
        return False
    return True


def fill_cache(folder):
    """Takes the files of a folder out of the page cache and fills it with another file: true.

    A virtual machine may give dropped memory back to its host; then a growing cache waits for the host, not for the disk.
    """
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    other = folder.parent / "other"
    with other.open("wb") as file:
        file.truncate(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with other.open("rb", buffering=0) as file:
        piece = bytearray(16 << 20)
        while file.readinto(piece):
            pass
    return True


CACHES = {"dropped": drop_cache, "filled": fill_cache}


def rate(job, options):
    job.run(f"data pack digits all --samples {options.samples} --seed 1 --no-shuffle")
    command = f"train --data all --test test {LEARN} --hidden 256 --epochs 1 --batch-size 128 --out model.safetensors"
    emptied = []

    def streamed():
        emptied.append(CACHES[options.cache](job.folder / "all"))
        return epoch(job, command, 600_000_000)

    ratios, accuracies = in_turns(
        options.rounds, lambda: epoch(job, f"{command} --in-memory --shuffle=blocks"), streamed
    )
    share = statistics.median(ratios)
    cache = f"page cache {options.cache}" if all(emptied) else "the page cache could not be dropped"
    found = (
        f"{options.samples} digits, {cache}: {share:.2f} of the rate in memory ({', '.join(f'{it:.2f}' for it in ratios)}), accuracy "
        f"{', '.join(f'{100 * it:.3f}' for it in accuracies)} %"
    )
    if share < 0.8 or len(accuracies) > 1:
        raise Failed(found)
    return found


def in_order(job, options):
    job.run(f"data pack digits sorted --samples {options.samples} --seed 1 --sorted")
    _, seconds = limited(job, "data pack sorted packed --seed 2", 300_000_000)
    packed = options.samples * ROW / 1e6 / seconds
    command = f"train --test test {LEARN} --hidden 256 --epochs 2 --batch-size 128 --out model.safetensors"
    _, streamed = epoch(job, f"{command} --data packed")
    _, in_memory = epoch(job, f"{command} --data sorted --in-memory --shuffle=true")
    found = (
        f"{options.samples} digits sorted by class: packed with {packed:.0f} MB/s, read piece by piece {100 * streamed:.3f} %, "
        f"fully shuffled in memory {100 * in_memory:.3f} %"
    )
    if streamed < in_memory - 0.001 or packed < 100:
        raise Failed(found)
    return found


PARTS = {"equal": equal, "rate": rate, "sorted": in_order}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--mpiexec", help="for `equal`, the launcher of the ranks; without it there are none")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", choices=CACHES, default="dropped")
    parser.add_argument("--folder", help="where the samples are written")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    tempfile.tempdir = options.folder or tempfile.gettempdir()
    job = Job(options.program, options.mpiexec)
    failed = False
    try:
        job.run(f"data pack digits test --samples {TEST} --seed 9")
        for part in options.only.split(","):
            try:
                print(f"{part}: {PARTS[part](job, options)}", flush=True)
            except Failed as error:
                failed = True
                print(f"{part}: FAILED: {error}", flush=True)
    finally:
        shutil.rmtree(job.folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
