"""Makes tables of text of a given size and measures how fast a program of gradus reads them.

    python3 benchmarks/read_tables.py make FOLDER --megabytes 100      # mixed.csv and numbers.csv
    python3 benchmarks/read_tables.py measure EXAMPLE FOLDER           # the built example read_table of the crate gradus

`mixed.csv` has numbers, gaps, categories, text with commas and dates, `numbers.csv` numbers alone. Both follow from the size
alone. Needs no packages.
"""

import argparse
import json
import random
import resource
import subprocess
from pathlib import Path


def mixed(random):
    """A row of twelve columns, the last of which is the target."""
    cells = [f"{random.gauss(50, 20):.4f}", str(random.randrange(100_000)), f"{random.random():.6f}"]
    cells += ["" if random.random() < 0.05 else f"{random.expovariate(0.01):.2f}"]
    cells += [random.choice(["red", "green", "blue", "black"]), random.choice(["yes", "no"])]
    cells += [f"city {random.randrange(400)}", '"a text, with commas"' if random.random() < 0.3 else "another text"]
    cells += [f"20{random.randrange(10, 25)}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}"]
    cells += [str(random.randrange(10)), f"{random.gauss(0, 1):.5f}", random.choice("abc")]
    return ",".join(cells)


def numbers(random):
    """A row of twenty numbers and a class."""
    return ",".join([f"{random.gauss(0, 1):.6f}" for _ in range(20)] + [str(random.randrange(3))])


TABLES = {
    "mixed.csv": ("amount,count,share,delay,colour,member,city,note,day,digit,score,kind", mixed),
    "numbers.csv": (",".join(f"x{at}" for at in range(20)) + ",kind", numbers),
}


def make(folder, megabytes):
    """Writes both tables. Some thousand different rows are enough for every column to have its values many times."""
    for name, (header, row) in TABLES.items():
        draw = random.Random(1)
        lines = [row(draw) + "\n" for _ in range(20_000)]
        left = megabytes * 1_000_000
        with open(folder / name, "w", encoding="utf-8") as file:
            left -= file.write(header + "\n")
            while left > 0:
                left -= file.write(draw.choice(lines))


def measure(example, folder, rounds):
    """Prints the best of some rounds for each table: seconds, megabytes a second, peak memory, bytes of the columns."""
    for name in TABLES:
        path = folder / name
        best = None
        for _ in range(rounds):
            found = json.loads(subprocess.run([example, path], check=True, capture_output=True, text=True).stdout)
            if best is None or found["seconds"] < best["seconds"]:
                best = found
        size = path.stat().st_size / 1e6
        print(
            f"{name}: {size:.0f} MB, {best['seconds']:.2f} s, {size / best['seconds']:.0f} MB/s, peak "
            f"{best['peak'] / 1e6:.0f} MB for columns of {best['bytes'] / 1e6:.0f} MB "
            f"({best['peak'] / best['bytes']:.2f} times)"
        )
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"processor time of all rounds: {children.ru_utime + children.ru_stime:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--megabytes", type=int, default=100)
    measuring = commands.add_parser("measure")
    measuring.add_argument("example", type=Path)
    measuring.add_argument("folder", type=Path)
    measuring.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    match args.command:
        case "make":
            args.folder.mkdir(parents=True, exist_ok=True)
            make(args.folder, args.megabytes)
        case "measure":
            measure(args.example.resolve(), args.folder, args.rounds)


if __name__ == "__main__":
    main()
