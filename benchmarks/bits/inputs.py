"""Generates every file that same_bits.py trains on and predicts from.

All seeds are fixed, and the arithmetic is exact (no sin, log or exp), so the files are the same on every
machine. They are small and synthetic: no data set is downloaded or committed.
"""

import gzip
import random
import struct
import sys
import zipfile
import zlib
from array import array

ORDER = "<" if sys.byteorder == "little" else ">"
KINDS = {"B": "|u1", "f": ORDER + "f4", "d": ORDER + "f8", "q": ORDER + "i8"}
SPECIES = ("setosa", "versicolor", "virginica")


class Draws:
    """Random numbers from a seed. Of Python's generator only `random()` is used: its sequence is guaranteed."""

    def __init__(self, seed):
        self.uniform = random.Random(seed).random

    def whole(self, count):
        return int(self.uniform() * count)

    def normal(self):
        """Approximately normal: the sum of four uniform numbers, scaled to mean 0 and variance 1."""
        return (self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2) * 1.7320508


def make(folder):
    """Writes all files into the folder, under the names that cases.py uses."""
    images(folder)
    bytes_without_zeros(folder)
    many(folder)
    tables(folder)
    pictures(folder)
    starts(folder)


# The data sets.


def images(folder):
    """28 x 28 bytes, mostly zero: an .npz, and the same images as IDX files, some of them compressed."""
    parts = in_parts(strokes(Draws(1), 800, 28, 10), 600)
    save_npz(folder / "images.npz", parts)
    idx = folder / "idx"
    idx.mkdir()
    for name, part, compressed in (
        ("train-images-idx3-ubyte.gz", "x_train", True),
        ("train-labels-idx1-ubyte", "y_train", False),
        ("t10k-images-idx3-ubyte", "x_test", False),
        ("t10k-labels-idx1-ubyte.gz", "y_test", True),
    ):
        content = as_idx(*parts[part])
        # mtime=0 keeps the current time out of the gzip header.
        (idx / name).write_bytes(gzip.compress(content, mtime=0) if compressed else content)
    _, pixels = parts["x_test"]
    save_npy(folder / "samples.npy", (5, 28, 28), pixels[: 5 * 784])


def bytes_without_zeros(folder):
    """8 x 8 bytes with few zeros, for which the first layer computes a dense product."""
    draws = Draws(3)
    base = [[40 + draws.whole(160) for _ in range(64)] for _ in range(4)]
    pixels, labels = array("B"), array("B")
    for _ in range(650):
        label = draws.whole(4)
        labels.append(label)
        pixels.extend(max(0, level - 35 + draws.whole(70)) for level in base[label])
    samples = ((650, 8, 8), pixels), ((650,), labels)
    save_npz(folder / "few-zeros.npz", in_parts(samples, 500))


def many(folder):
    """More than 8,192 samples: gradus splits a full batch of them into several micro-batches."""
    save_npz(folder / "many-bytes.npz", in_parts(strokes(Draws(4), 9300, 8, 5), 9000))
    for name, seed, count in (("many-floats", 5, 9000), ("five-micro-batches", 6, 20_480)):
        samples = clouds(Draws(seed), count + 300, 12, 3)
        save_npz(folder / f"{name}.npz", in_parts(samples, count))


def tables(folder):
    """Tables for classification and regression, as .npz and CSV. Most have no test part."""
    features, labels = clouds(Draws(8), 400, 10, 3)
    save_npz(folder / "floats.npz", {"x_train": features, "y_train": labels})
    draws = Draws(9)
    features, values = array("f"), array("d")
    for _ in range(400):
        row = [draws.normal() for _ in range(6)]
        features.extend(row)
        values.extend((3 * row[0] - row[1] * row[2] + 20, row[3] + 0.1 * draws.normal()))
    samples = ((400, 6), features), ((400, 2), values)
    save_npz(folder / "values.npz", in_parts(samples, 300))
    for name, seed, count in (("flowers", 10, 180), ("flowers-more", 11, 60), ("flowers-test", 12, 60)):
        flowers(folder / f"{name}.csv", Draws(seed), count)
    houses(folder / "houses.csv", Draws(13), 240)
    houses(folder / "houses-new.csv", Draws(14), 4)
    without_header(folder / "no-header.csv", Draws(15), 150)


def pictures(folder):
    """A folder of PNG images per class, grey and in colour, of two sizes; and two drawings of digits."""
    draws = Draws(16)
    for part, count in (("train", 24), ("test", 8)):
        for number, name in enumerate(("bars", "rows", "spots")):
            place = folder / "pictures" / part / name
            place.mkdir(parents=True)
            for index in range(count):
                height, width = (12, 12) if index % 4 else (10, 14)
                pixels = pattern(draws, number, height, width)
                save_png(place / f"{index:03}.png", height, width, pixels, colour=index % 3 == 0)
    # Dark on light, not square, off centre: `predict` has to convert these to MNIST's form.
    for name, seed in (("drawing", 17), ("other-drawing", 18)):
        (_, stroke), _ = strokes(Draws(seed), 1, 28, 1)
        pixels = bytearray(255 for _ in range(44 * 60))
        for row in range(28):
            for column in range(28):
                pixels[(row + 3) * 60 + column + 25] = 255 - stroke[row * 28 + column]
        save_png(folder / f"{name}.png", 44, 60, pixels, colour=False)


def starts(folder):
    """Initial weights for 784-16-10, and a weight for each of the 600 training images."""
    draws = Draws(19)
    parts = {}
    for number, (inputs, outputs) in enumerate(((784, 16), (16, 10)), start=1):
        weight = array("d", (0.05 * draws.normal() for _ in range(inputs * outputs)))
        parts[f"w{number}"] = ((inputs, outputs), weight)
        parts[f"b{number}"] = ((outputs, 1), array("d", (0.01 * draws.normal() for _ in range(outputs))))
    save_npz(folder / "start.npz", parts)
    factors = array("d", (0.5 + draws.uniform() for _ in range(600)))
    save_npy(folder / "factors.npy", (600,), factors)
    (folder / "factors.txt").write_text("".join(f"{factor:.3f}\n" for factor in factors))


# Samples. An array is a pair: its shape, and its numbers in row-major order.


def in_parts(samples, train):
    """Splits samples into a training and a test part, under the names of arrays in an .npz."""
    parts = {}
    for letter, ((count, *rest), numbers) in zip("xy", samples):
        row = len(numbers) // count
        parts[f"{letter}_train"] = ((train, *rest), numbers[: train * row])
        parts[f"{letter}_test"] = ((count - train, *rest), numbers[train * row :])
    return parts


def strokes(draws, count, side, classes):
    """Images of one random stroke per class, shifted a little, of varying brightness."""
    shapes = []
    for _ in range(classes):
        row, column, shape = side // 2, side // 2, set()
        for _ in range(side * 4):
            shape.add((row, column))
            row = min(side - 3, max(2, row + draws.whole(3) - 1))
            column = min(side - 3, max(2, column + draws.whole(3) - 1))
        # Sorted, because the order of a set is not specified.
        shapes.append(sorted(shape))
    pixels, labels = array("B", bytes(count * side * side)), array("B")
    for sample in range(count):
        label = draws.whole(classes)
        labels.append(mislabelled(draws, label, classes))
        down, right = draws.whole(3) - 1, draws.whole(3) - 1
        for row, column in shapes[label]:
            pixels[(sample * side + row + down) * side + column + right] = 90 + draws.whole(166)
    return ((count, side, side), pixels), ((count,), labels)


def clouds(draws, count, features, classes):
    """Floats around a centre for each class."""
    centres = [[2 * draws.normal() for _ in range(features)] for _ in range(classes)]
    rows, labels = array("f"), array("q")
    for _ in range(count):
        label = draws.whole(classes)
        labels.append(mislabelled(draws, label, classes))
        rows.extend(centre + draws.normal() for centre in centres[label])
    return ((count, features), rows), ((count,), labels)


def mislabelled(draws, label, classes):
    """Replaces one label in ten by a random one, so that every model makes mistakes to report."""
    return draws.whole(classes) if draws.uniform() < 0.1 else label


def flowers(path, draws, count):
    lines = ["length,width,petal,species"]
    for _ in range(count):
        kind = draws.whole(3)
        row = (5 + kind + 0.4 * draws.normal(), 3 - 0.3 * kind, 1.5 * kind + 0.3 * draws.normal())
        lines.append(",".join(f"{value:.3f}" for value in row) + f",{SPECIES[kind]}")
    path.write_text("\n".join(lines) + "\n")


def houses(path, draws, count):
    lines = ["area;rooms;age;price;rent"]
    for _ in range(count):
        area, rooms, age = 40 + 120 * draws.uniform(), 1 + draws.whole(6), draws.whole(90)
        price = 2.5 * area + 15 * rooms - 0.8 * age + 5 * draws.normal()
        lines.append(f"{area:.1f};{rooms};{age};{price:.2f};{price / 30 + draws.normal():.2f}")
    path.write_text("\n".join(lines) + "\n")


def without_header(path, draws, count):
    """Labels in the first column, columns separated by tabs."""
    lines = []
    for _ in range(count):
        kind = draws.whole(2)
        lines.append("\t".join([str(kind), *(f"{kind + draws.normal():.4f}" for _ in range(5))]))
    path.write_text("\n".join(lines) + "\n")


def pattern(draws, number, height, width):
    """Vertical bars, horizontal rows or spots, in grey."""
    start, pixels = draws.whole(4), bytearray()
    for row in range(height):
        for column in range(width):
            lit = ((column + start) % 4 < 2, (row + start) % 4 < 2, draws.uniform() < 0.3)[number]
            pixels.append(160 + draws.whole(90) if lit else draws.whole(60))
    return pixels


# Formats.


def as_idx(shape, pixels):
    head = bytes((0, 0, 8, len(shape))) + b"".join(struct.pack(">I", size) for size in shape)
    return head + bytes(pixels)


def as_npy(shape, values):
    words = f"{{'descr': '{KINDS[values.typecode]}', 'fortran_order': False, 'shape': {shape}, }}"
    # NumPy pads the header so that the numbers start at a multiple of 64 bytes.
    words += " " * (-(len(words) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words.encode() + values.tobytes()


def save_npy(path, shape, values):
    path.write_bytes(as_npy(shape, values))


def save_npz(path, parts):
    """Arrays by name. A ZipInfo without a date gets 1980, so the file does not depend on the current time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, (shape, values) in parts.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), as_npy(shape, values))


def save_png(path, height, width, pixels, colour):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = bytearray()
    for row in range(height):
        rows.append(0)
        for value in pixels[row * width : (row + 1) * width]:
            rows.extend((value, value // 2, 255 - value) if colour else (value,))
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if colour else 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
