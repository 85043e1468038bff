"""`gradus export MODEL digit.html`: the page answers as the program does."""

import base64

import numpy as np
import pytest
from conftest import gradus, photographs, predictions
from PIL import Image

# In the page: probabilities of many pictures of 28 x 28 bytes.
ANSWER_ALL = "all => all.map(pixels => Array.from(gradus.answer(pixels).probabilities))"


def rows(found):
    return np.array([list(prediction["probabilities"].values()) for prediction in found])


def compare(page, model, images, folder):
    """Probabilities of the page and of the program on the same bytes."""
    np.save(folder / "images.npy", images.reshape(len(images), -1))
    expected = rows(predictions(model, folder / "images.npy"))
    found = np.array(page.evaluate(ANSWER_ALL, images.reshape(len(images), -1).tolist()))
    return np.abs(found - expected).max()


def noise(count):
    """Pictures without a sense, four in five pixels black."""
    random = np.random.RandomState(0)
    shape = (count, 28, 28)
    return (random.randint(0, 256, shape) * (random.rand(*shape) < 0.2)).astype(np.uint8)


def test_answers_are_the_programs(visit, digit_html, model, mnist, tmp_path):
    assert digit_html.stat().st_size < 1_000_000
    assert compare(visit(digit_html.as_uri()), model, mnist[0][:100], tmp_path) < 1e-5


@pytest.mark.parametrize("normalize", ["none", "unit", "standard"])
@pytest.mark.parametrize(
    "layers",
    [
        ["--hidden", "none"],
        ["--hidden", "24,16", "--activation", "gelu,tanh"],
        ["--hidden", "24,16", "--activation", "sigmoid,leaky_relu"],
        ["--hidden", "24,16", "--activation", "leaky_relu:0.3"],
        ["--hidden", "24,16,12", "--activation", "relu,identity,relu", "--batch-norm"],
    ],
)
def test_every_kind_of_network(visit, layers, normalize, tmp_path):
    model, page = tmp_path / "m.safetensors", tmp_path / "m.html"
    options = ["--data", "digits", "--epochs", 1, "--learning-rate", 0.003, "--normalize", normalize]
    gradus("train", "--quiet", *options, *layers, "--out", model)
    gradus("export", model, page)
    assert compare(visit(page.as_uri()), model, noise(100), tmp_path) < 1e-5


def test_as_many_pictures_are_right_as_with_the_program(visit, digit_html, model, mnist, tmp_path):
    images, labels = mnist
    pictures = list(photographs(images))
    files = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    for file, picture in zip(files, pictures):
        Image.fromarray(picture).save(file)
    expected = predictions(model, *files)
    found = visit(digit_html.as_uri()).evaluate(
        """pictures => pictures.map(({ height, width, data }) => {
            const pixels = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            return Array.from(gradus.answer(gradus.toMnistForm({ height, width, pixels })).probabilities);
        })""",
        [
            {"height": 150, "width": 150, "data": base64.b64encode(picture).decode()}
            for picture in pictures
        ],
    )
    right = sum(int(one["label"]) == label for one, label in zip(expected, labels))
    assert sum(np.argmax(one) == label for one, label in zip(found, labels)) == right >= 180
    # A pixel may be rounded the other way.
    assert np.abs(np.array(found) - rows(expected)).max() < 0.05
