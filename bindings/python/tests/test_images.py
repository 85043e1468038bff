"""Images converted to MNIST's form, as by the program."""

import base64
import json
import struct
import subprocess
import zlib

import numpy as np
import pytest
from test_files import program

from gradus import MLPClassifier, datasets

# A stroke from top to bottom, 40 x 32, dark on light.
JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//wAALCAAoACABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAAAAYH/8QAGhAAAQUBAAAAAAAAAAAAAAAAAAIF"
    "BzaDs//aAAgBAQAAPwDTgACbkOkuGfRIjykt+nRRSAm5DpLhn0SI8pLfp0UUgJuQ6S4Z9EiPKS36dFFIAAf/2Q=="
)


def png(pixels):
    """The bytes of a PNG file of 8-bit grey or RGB."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def drawn(digits):
    """A digit, three times as large, off the middle, dark on light; and its label."""
    (X, y), _ = digits
    large = np.kron(X[4], np.ones((3, 3), dtype=np.uint8))
    paper = np.zeros((120, 150), dtype=np.uint8)
    paper[10:94, 50:134] = large
    return 250 - np.minimum(paper, 240), y[4]


def test_a_file_is_the_same_as_its_pixels(drawn, tmp_path):
    pixels, _ = drawn
    path = tmp_path / "digit.png"
    path.write_bytes(png(pixels))
    form = datasets.read_image(path)
    assert (form.shape, form.dtype) == ((28, 28), np.uint8)
    for other in (str(path), pixels, pixels.astype(np.int64), pixels.tolist(), pixels[:, ::-1][:, ::-1]):
        assert np.array_equal(datasets.read_image(other), form)
    path.write_bytes(png(np.repeat(pixels[:, :, None], 3, axis=2)))
    assert np.array_equal(datasets.read_image(path), form)


def test_the_form_is_mnists(drawn, digits):
    pixels, label = drawn
    form = datasets.read_image(pixels).astype(float)
    rows, columns = np.nonzero(form)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    places = np.arange(28) + 0.5
    assert abs(places @ form.sum(axis=1) / form.sum() - 14) <= 0.6
    assert abs(places @ form.sum(axis=0) / form.sum() - 14) <= 0.6
    (X, y), _ = digits
    model = MLPClassifier((64,), normalization="unit", max_iter=20, random_state=0).fit(X, y)
    assert model.predict(datasets.read_image(pixels)[None])[0] == label
    # Light on dark is the same, and what is in form already is left alone.
    assert np.array_equal(datasets.read_image(255 - pixels), datasets.read_image(pixels))
    again = datasets.read_image(datasets.read_image(pixels))
    assert np.array_equal(again, datasets.read_image(pixels))


def test_jpeg_and_truth_values(tmp_path):
    (tmp_path / "one.jpg").write_bytes(base64.b64decode(JPEG))
    stroke = np.zeros((40, 32), dtype=bool)
    stroke[8:32, 14:18] = True
    photo, clean = datasets.read_image(tmp_path / "one.jpg"), datasets.read_image(stroke)
    assert clean.max() == 255 and np.count_nonzero(clean) < 120
    assert np.mean(np.abs(photo.astype(float) - clean)) < 6


def test_another_size_is_scaled_alone(drawn, tmp_path):
    pixels, _ = drawn
    small = datasets.read_image(pixels, size=(12, 15))
    means = pixels.reshape(12, 10, 15, 10).mean(axis=(1, 3))
    assert small.shape == (12, 15)
    assert np.max(np.abs(small - means)) <= 1


def test_the_program_sees_the_same(drawn, digits, tmp_path):
    pixels, _ = drawn
    (X, y), _ = digits
    model = MLPClassifier((32,), normalization="unit", max_iter=5, random_state=0).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "digit.png").write_bytes(png(pixels))
    run = [program(), "predict", tmp_path / "model.safetensors", tmp_path / "digit.png", "--json"]
    found = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
    image = datasets.read_image(tmp_path / "digit.png")
    expected = model.predict_proba(image[None])[0]
    assert list(found["probabilities"]) == [str(digit) for digit in range(10)]
    np.testing.assert_allclose(list(found["probabilities"].values()), expected, rtol=1e-5, atol=1e-9)


def test_what_is_not_an_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("seven")
    (tmp_path / "empty.png").write_bytes(png(np.full((30, 30), 200, dtype=np.uint8)))
    for source, error, message in [
        (tmp_path / "none.png", FileNotFoundError, "none.png"),
        (tmp_path / "text.png", ValueError, "text.png: not an image: expected PNG"),
        (tmp_path / "empty.png", ValueError, "empty.png: found no ink"),
        (np.full((30, 30), 200, dtype=np.uint8), ValueError, "found no ink"),
        (np.zeros((3, 30, 30)), ValueError, r"the image has shape \(3, 30, 30\)"),
        (np.zeros((30, 30)), ValueError, "values of type float64, expected whole numbers"),
        (np.full((9, 9), 256), ValueError, "the image has values 256 to 256"),
        (np.zeros((0, 9), dtype=np.uint8), ValueError, "an image of 0 x 9 pixels"),
    ]:
        with pytest.raises(error, match=message):
            datasets.read_image(source)
    for size, message in [
        ((0, 28), "size is 0, but must be a whole number of at least 1"),
        (28, r"size is 28, but must be a pair \(height, width\)"),
        ((28, 99999), "an image of 28 x 99999 pixels: expected 1 to 16384 per side"),
    ]:
        with pytest.raises(ValueError, match=message):
            datasets.read_image(np.eye(30, dtype=bool), size=size)
