"""What the page computes itself equals what the program computes.

The exported page has no program to ask: network.js and mnist_form.js mirror the library. The form of the
Train view follows the library's table of settings, and stands for the options of `gradus train`.
"""

import base64
import io
import json
import re
import urllib.request

import numpy as np
import pytest
from conftest import gradus, photographs, predictions
from PIL import Image, ImageDraw
from playwright.sync_api import expect

# In the exported page: the probabilities of many images of 28 x 28 bytes.
PREDICT_ALL = "all => all.map(pixels => Array.from(gradus.answer(pixels).probabilities))"

# In the exported page: an image in MNIST's form, or null if it has no ink.
MNIST_FORM = """({ height, width, data }) => {
    const pixels = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const form = gradus.toMnistForm({ height, width, pixels });
    return form && Array.from(form);
}"""

# In the exported page: the explanation of its prediction for 28 x 28 bytes.
EXPLAIN = """pixels => {
    const found = gradus.answer(pixels);
    const units = found.units.map((values) => Array.from(values));
    return { label: found.label, units, why: Array.from(gradus.reasons(gradus.network, pixels, found)) };
}"""


def rows(found):
    return np.array([list(prediction["probabilities"].values()) for prediction in found])


def compare(page, model, images, folder):
    """The largest difference between probabilities of the page and of the program for the same bytes."""
    np.save(folder / "images.npy", images.reshape(len(images), -1))
    expected = rows(predictions(model, folder / "images.npy"))
    found = np.array(page.evaluate(PREDICT_ALL, images.reshape(len(images), -1).tolist()))
    return np.abs(found - expected).max()


def noise(count):
    """Random images, four in five pixels black."""
    random = np.random.RandomState(0)
    shape = (count, 28, 28)
    return (random.randint(0, 256, shape) * (random.rand(*shape) < 0.2)).astype(np.uint8)


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def ask(server, file, units=0):
    """The served page's prediction for an image file."""
    headers = {"Content-Type": "image/png"}
    request = urllib.request.Request(f"{server.url}api/answer?units={units}", file, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def drawing(height, width, pen, ink, paper, points):
    """A stroke through points, which are fractions of the sides."""
    image = Image.new("L", (width, height), paper)
    stroke = [(x * (width - 1), y * (height - 1)) for x, y in points]
    ImageDraw.Draw(image).line(stroke, fill=ink, width=pen, joint="curve")
    return np.array(image)


def grey_images():
    """Name and pixels of images of many kinds."""
    seven = [(0.3, 0.2), (0.7, 0.2), (0.45, 0.85)]
    yield "drawn with the page's pen", drawing(280, 280, 20, 0, 255, seven)
    yield "light on dark", drawing(280, 280, 20, 255, 0, seven)
    yield "thin strokes", drawing(300, 200, 2, 0, 255, seven)
    yield "faint ink", drawing(200, 300, 14, 170, 200, seven)
    yield "larger than the working size", drawing(900, 1500, 60, 10, 240, seven)
    yield "smaller than the box", drawing(13, 11, 1, 0, 255, seven)
    yield "a bar", drawing(60, 400, 9, 0, 255, [(0.05, 0.5), (0.95, 0.5)])
    yield "a corner", drawing(90, 90, 8, 0, 255, [(0.1, 0.1), (0.3, 0.1), (0.3, 0.4)])
    yield "28 x 28, not in the form", drawing(28, 28, 3, 255, 0, [(0.1, 0.1), (0.4, 0.6)])
    random = np.random.RandomState(1)
    dusty = drawing(240, 240, 18, 20, 230, seven)
    dusty[random.rand(240, 240) < 0.001] = 0
    yield "dust", dusty
    noisy = drawing(240, 240, 18, 40, 210, seven) + random.normal(0, 5, (240, 240))
    yield "a restless background", np.clip(noisy, 0, 255).astype(np.uint8)
    yield "no ink", np.full((50, 50), 200, np.uint8)
    letters = [Image.new("L", (120, 120), 255) for _ in range(10)]
    for digit, image in enumerate(letters):
        ImageDraw.Draw(image).text((40, 20), str(digit), fill=0, font_size=70)
        yield f"a printed {digit}", np.array(image)


def form_of_page(page, pixels):
    height, width = pixels.shape
    data = base64.b64encode(pixels.tobytes()).decode()
    return page.evaluate(MNIST_FORM, {"height": height, "width": width, "data": data})


def test_probabilities_equal_those_of_the_program(visit, digit_html, model, mnist, tmp_path):
    assert digit_html.stat().st_size < 1_000_000
    assert compare(visit(digit_html.as_uri()), model, mnist[0][:100], tmp_path) < 1e-5


@pytest.mark.parametrize("normalize", ["none", "unit", "standard", "robust"])
@pytest.mark.parametrize(
    "layers",
    [
        ["--hidden", "none"],
        ["--hidden", "24,16", "--activation", "gelu,tanh"],
        ["--hidden", "24,16", "--activation", "sigmoid,leaky_relu"],
        ["--hidden", "24,16", "--activation", "leaky_relu:0.3"],
        ["--hidden", "24,16,12", "--activation", "elu:0.5,selu,silu"],
        ["--hidden", "24,16", "--activation", "mish,relu"],
        ["--hidden", "24,16,12", "--activation", "relu,identity,relu", "--batch-norm"],
    ],
)
def test_every_kind_of_network(visit, serve, layers, normalize, tmp_path):
    model, page = tmp_path / "m.safetensors", tmp_path / "m.html"
    options = ["--data", "digits", "--epochs", 1, "--learning-rate", 0.003, "--normalize", normalize]
    gradus("train", "--quiet", *options, *layers, "--out", model)
    gradus("export", model, page)
    page = visit(page.as_uri())
    assert compare(page, model, noise(100), tmp_path) < 1e-5
    # And what the two pages show of a prediction: hidden units and contributions.
    server = serve(model)
    for _, pixels in list(grey_images())[:4]:
        expected = ask(server, png(Image.fromarray(pixels)), units=1)
        found = page.evaluate(EXPLAIN, expected["input"])
        assert found["label"] == expected["label"]
        assert len(found["units"]) == len(expected["units"])
        for one, other in zip([found["why"], *found["units"]], [expected["why"], *expected["units"]]):
            assert np.abs(np.array(one) - other).max() < 1e-4 * max(1, np.abs(other).max())


def test_images_are_brought_into_the_same_form(visit, serve, digit_html, model):
    server, page = serve(model), visit(digit_html.as_uri())
    for name, pixels in grey_images():
        expected = ask(server, png(Image.fromarray(pixels))).get("input")
        found = form_of_page(page, pixels)
        if expected is None:
            assert found is None, name
            continue
        difference = np.abs(np.array(found) - expected)
        # Single and double precision may round a pixel to different sides.
        assert difference.max() <= 1 and (difference > 0).mean() < 0.02, name


def test_colours_and_transparency_become_the_same_grey(visit, serve, digit_html, model, tmp_path):
    server, page = serve(model), visit(digit_html.as_uri())
    image = Image.new("RGBA", (200, 200), (250, 240, 200, 255))
    ImageDraw.Draw(image).line([(60, 40), (140, 40), (90, 160)], fill=(30, 60, 160, 255), width=16)
    file = tmp_path / "colour.png"
    for name in ("opaque", "transparent"):
        if name == "transparent":
            ImageDraw.Draw(image).rectangle([0, 0, 199, 30], fill=(0, 0, 0, 0))
        file.write_bytes(png(image))
        page.locator("#file").set_input_files(file)
        expect(page.locator("#verdict strong")).to_be_visible()
        # What is shown as the network's input, read from a copy: the page itself never reads it back.
        shown = page.locator("#seen").evaluate(
            """canvas => {
                const copy = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
                const context = copy.getContext("2d", { willReadFrequently: true });
                context.drawImage(canvas, 0, 0);
                return [...context.getImageData(0, 0, 28, 28).data];
            }"""
        )[::4]
        difference = np.abs(np.array(shown) - ask(server, file.read_bytes())["input"])
        assert difference.max() <= 1, name
        page.locator("#clear").click()
        expect(page.locator("#verdict strong")).to_have_count(0)


def test_as_many_photos_are_right_as_with_the_program(visit, digit_html, model, mnist, tmp_path):
    images, labels = mnist
    photos = list(photographs(images))
    files = [tmp_path / f"{number}.png" for number in range(len(photos))]
    for file, photo in zip(files, photos):
        Image.fromarray(photo).save(file)
    expected = predictions(model, *files)
    page = visit(digit_html.as_uri())
    found = page.evaluate(PREDICT_ALL, [form_of_page(page, photo) for photo in photos])
    right = sum(int(one["label"]) == label for one, label in zip(expected, labels))
    assert sum(np.argmax(one) == label for one, label in zip(found, labels)) == right >= 180
    # A pixel may be rounded to the other side.
    assert np.abs(np.array(found) - rows(expected)).max() < 0.05


def fields(page):
    """Option -> the text that the form shows for the preset's value, and the choices of a list."""
    expect(page.locator("[name=hidden]")).to_have_attribute("placeholder", re.compile("."))
    return page.locator("#settings").evaluate(
        """form => Object.fromEntries([...form.elements]
            .filter(({ name }) => name && !["data", "preset"].includes(name))
            .map(({ name, placeholder, list, options }) => [name, options
                ? { text: options[0].text, choices: [...options].slice(1).map(({ value }) => value) }
                : { text: placeholder, choices: [...list?.options ?? []].map(({ value }) => value) }]))"""
    )


def test_fields_are_options_and_choices_are_accepted(server, open_page):
    page = open_page("train", refusals=True)

    def refusal(options):
        body = {"data": "digits", "preset": "quick", "options": options}
        return page.evaluate(
            """body => fetch("/api/runs", { method: "POST", body: JSON.stringify(body),
                headers: { "Content-Type": "application/json" } }).then((answer) => answer.json())""",
            body,
        )["error"]

    for name, field in fields(page).items():
        # The option is known: it is its value that is refused.
        assert f"--{name}" in refusal({name: "-"}) and "cannot be set" not in refusal({name: "-"}), name
        for choice in field["choices"]:
            # Only the wrong epochs are left to refuse.
            assert "--epochs" in refusal({name: choice, "epochs": "-"}), choice


# Settings that a run has only once they are set.
UNSET = {
    "monitor", "patience", "min-delta", "keep-best", "shuffle", "micro-batches", "numeric-embedding",
    "category-embedding", "members", "parametric", "refit", "scaling-layer",
}  # fmt: skip


@pytest.mark.parametrize("preset", ["quick", "notebook", "accurate", "record"])
def test_texts_of_a_preset_are_the_options_of_its_values(server, open_page, preset, tmp_path):
    random = np.random.RandomState(0)
    images, labels = random.randint(0, 256, (60, 28, 28)).astype(np.uint8), np.arange(60) % 10
    np.savez(tmp_path / "few.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    page = open_page("train")
    fields(page)
    page.locator("[name=preset]").select_option(preset)
    words = {"yes": "true", "no": "false", "default": ""}
    texts = {name: field["text"].removesuffix(" (preset)") for name, field in fields(page).items()}
    texts = {name: words.get(text, text) for name, text in texts.items()}
    # Of these each run has some, or none.
    constants = {"momentum", "beta1", "beta2", "epsilon", "weight-decay", "nesterov", "max-fun", "tolerance"}
    empty = {name for name, text in texts.items() if not text} - constants
    assert empty <= UNSET, empty - UNSET
    given = [f"--{name}={text}" for name, text in texts.items() if text and name != "epochs"]

    def config(*options):
        model = tmp_path / "m.safetensors"
        data = ["--data", tmp_path / "few.npz", "--preset", preset, "--epochs", 3]
        gradus("train", "--quiet", *data, *options, "--out", model)
        return json.loads(gradus("inspect", model, "--json"))["training"]["config"]

    assert config(*given) == config()
    state = page.evaluate("fetch('/api/state').then((answer) => answer.json())")
    assert texts["epochs"] == str(state["presets"][preset]["epochs"])
    assert {name.replace("-", "_") for name in texts} == {one["name"] for one in state["settings"]}
