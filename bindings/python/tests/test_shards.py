"""Data beyond memory: folders of shards, and memory-mapped arrays."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gradus import MLPClassifier, MLPRegressor, TabularClassifier, datasets


def test_what_is_packed_is_read_again(tmp_path):
    x, y = datasets.digits(100)
    shards = datasets.pack(tmp_path / "shards", x, y, shuffle=False, shard_rows=30)
    assert (len(shards), shards.shape, shards.dtype) == (100, (100, 28, 28), np.uint8)
    assert shards.target_names == [str(digit) for digit in range(10)]
    everything = shards[:]
    assert np.array_equal(everything[0], x) and np.array_equal(everything[1], y)
    for part in [slice(25, 65), slice(-5, None), slice(90, 10, -7), slice(3, 50, 4), slice(7, 7)]:
        found = shards[part]
        assert np.array_equal(found[0], x[part]) and np.array_equal(found[1], y[part])
    image, label = shards[-1]
    assert np.array_equal(image, x[-1]) and label == y[-1]
    batches = list(shards.batches(40))
    assert [len(batch[0]) for batch in batches] == [40, 40, 20]
    assert np.array_equal(np.concatenate([batch[0] for batch in batches]), x)
    shards.verify()
    with pytest.raises(IndexError):
        shards[100]
    with pytest.raises(ValueError, match="size is 0"):
        next(shards.batches(0))
    with pytest.raises(ValueError, match="exists already"):
        datasets.pack(tmp_path / "shards", x, y)


def test_a_shuffle_keeps_each_sample_with_its_target(tmp_path):
    x = np.arange(200, dtype=np.float32).reshape(100, 2)
    y = np.array(["even" if at % 2 == 0 else "odd" for at in range(100)])
    shards = datasets.pack(tmp_path / "a", x, y, random_state=3)
    found, names = shards[:]
    assert not np.array_equal(found, x)
    assert np.array_equal(found[np.argsort(found[:, 0])], x)
    assert all((row[0] // 2) % 2 == (name == "odd") for row, name in zip(found, names))
    again = datasets.pack(tmp_path / "b", x, y, random_state=3)
    assert np.array_equal(again[:][0], found)
    other = datasets.pack(tmp_path / "c", x, y, random_state=4)
    assert not np.array_equal(other[:][0], found)


def test_regression_targets(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    shards = datasets.pack(tmp_path / "two", x, y, shuffle=False)
    assert (shards.dtype, shards.target_names) == (np.float64, ["y0", "y1"])
    assert np.array_equal(shards[:][1], y.astype(np.float32))
    one = datasets.pack(tmp_path / "one", x.astype(np.float32), y[:, 0], shuffle=False)
    assert one[5:9][1].shape == (4,)


def test_a_damaged_shard_is_named(tmp_path):
    x, y = datasets.digits(50)
    shards = datasets.pack(tmp_path / "shards", x, y, shard_rows=20)
    path = tmp_path / "shards" / "shard-00001.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"shard-00001\.npy.*damaged"):
        shards.verify()
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"shard-00001\.npy.*truncated"):
        datasets.Shards(tmp_path / "shards")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"shard-00001\.npy"):
        datasets.Shards(tmp_path / "shards")


def test_memory_maps_are_samples(tmp_path):
    x, y = datasets.digits(300)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    options = dict(hidden_layer_sizes=(16,), max_iter=2, random_state=0)
    plain = MLPClassifier(**options).fit(x, y)
    of_map = MLPClassifier(**options).fit(mapped, y)
    assert np.array_equal(plain.predict_proba(x), of_map.predict_proba(mapped))
    table = np.memmap(tmp_path / "table", dtype=np.float32, mode="w+", shape=(200, 3))
    table[:] = np.random.default_rng(0).normal(size=(200, 3))
    regressor = MLPRegressor(**options).fit(table, table[:, 0])
    assert np.array_equal(regressor.predict(table), regressor.predict(np.array(table)))
    shards = datasets.pack(tmp_path / "shards", mapped, y, shuffle=False)
    assert np.array_equal(shards[:][0], x)


# Trains on a map of zeros that is larger than the memory that it may take, and prints what it took.
_LARGE_MAP = """
import sys
import numpy as np
from gradus import MLPClassifier

def own():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024

samples, kind = 600_000, sys.argv[2]
mapped = np.memmap(sys.argv[1], dtype=kind, mode="w+", shape=(samples + 1, 28, 28 if kind == "uint8" else 7))[1:]
mapped[:5000, 3, 3] = 1
y = np.arange(samples) < 5000
before = own()
model = MLPClassifier((4,), batch_size=4096, max_iter=1, random_state=0, normalization="none").fit(mapped, y)
assert model.n_features_in_ == mapped[0].size
print(own() - before, mapped.nbytes)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_memory_maps_are_trained_on_in_their_files(tmp_path, kind):
    run = [sys.executable, "-c", _LARGE_MAP, str(tmp_path / "map"), kind]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown, size = map(int, done.stdout.split())
    assert size > 400e6
    # Two groups of 64 MB, what is read ahead, the targets and the order of the samples.
    assert grown < 300e6


def test_rows_of_a_memory_map_are_found_in_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr("gradus._memory_maps.LEAST_BYTES", 1)
    x, y = datasets.digits(9000)
    np.save(tmp_path / "x.npy", x)
    options = dict(hidden_layer_sizes=(16,), max_iter=4, normalization="standard", random_state=0)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    whole = MLPClassifier(**options).fit(mapped, y)
    # A part has the samples of the part.
    part = MLPClassifier(**options).fit(mapped[100:], y[100:])
    np.save(tmp_path / "part.npy", x[100:])
    of_part = MLPClassifier(**options).fit(np.load(tmp_path / "part.npy", mmap_mode="r"), y[100:])
    assert np.array_equal(part.predict_proba(x), of_part.predict_proba(x))
    assert not np.array_equal(part.predict_proba(x), whole.predict_proba(x))
    stopped = MLPClassifier(**options, early_stopping=True).fit(mapped, y)
    assert stopped.score(x, y) > 0.8
    floats = np.memmap(tmp_path / "floats", dtype=np.float32, mode="w+", shape=(9000, 784))
    floats[:] = x.reshape(9000, 784)
    floats[8500, 3] = np.nan
    with pytest.raises(ValueError, match="NaN in row 8500, column 3"):
        MLPClassifier(**options).fit(floats, y)


@pytest.mark.skipif("GRADUS_PROGRAM" not in os.environ, reason="needs the program, which packs tables")
def test_a_packed_table_is_a_structured_array(tmp_path):
    rows = [f"{'' if at % 9 == 0 else at / 4},{['red', '', 'blue'][at % 3]},2024-01-{1 + at % 28:02},{at % 2}" for at in range(400)]
    (tmp_path / "t.csv").write_text("\n".join(["size,colour,day,kind", *rows]) + "\n")
    subprocess.run([os.environ["GRADUS_PROGRAM"], "data", "pack", "t.csv", "s", "--no-shuffle"], cwd=tmp_path, check=True)
    shards = datasets.Shards(tmp_path / "s")
    assert (shards.shape, shards.dtype.names) == ((400,), ("size", "colour", "day"))
    x, y = shards[:10]
    assert np.isnan(x["size"][0]) and x["size"][1] == 0.25
    assert list(x["colour"][:3]) == ["red", None, "blue"]
    assert x["day"][3] == np.datetime64("2024-01-04") and list(y[:2]) == [0, 1]
    one, label = shards[5]
    assert (one["size"], label) == (1.25, 1)
    x, y = shards[:]
    model = TabularClassifier(epochs=1, validation_fraction=0, random_state=0).fit(x, y)
    assert model.predict(x).shape == (400,)
    shards.verify()
