"""`gradus export MODEL digit.html`: the page answers as the program does, and can be drawn on."""

import base64
import io

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import gradus, predictions
from PIL import Image

# In the page: probabilities of many pictures of 28 x 28 bytes.
ANSWER_ALL = "all => all.map(pixels => Array.from(answer(network, pixels).probabilities))"


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
    assert compare(visit(digit_html), model, mnist[0][:100], tmp_path) < 1e-5


@pytest.mark.parametrize("normalize", ["none", "unit", "standard"])
@pytest.mark.parametrize(
    "layers",
    [
        ["--hidden", "none"],
        ["--hidden", "24,16", "--activation", "gelu,tanh"],
        ["--hidden", "24,16", "--activation", "sigmoid,leaky_relu"],
        ["--hidden", "24,16,12", "--activation", "relu,identity,relu", "--batch-norm"],
    ],
)
def test_every_kind_of_network(visit, layers, normalize, tmp_path):
    model, page = tmp_path / "m.safetensors", tmp_path / "m.html"
    options = ["--data", "digits", "--epochs", 1, "--learning-rate", 0.003, "--normalize", normalize]
    gradus("train", "--quiet", *options, *layers, "--out", model)
    gradus("export", model, page)
    assert compare(visit(page), model, noise(100), tmp_path) < 1e-5


def photographs(images):
    """The images as dark digits somewhere on larger, lighter paper that is not evenly lit."""
    light = np.linspace(0, 30, 150, dtype=np.float32)
    for number, image in enumerate(images):
        large = np.kron(image, np.ones((4, 4)))
        paper = 235 - light[:, None] + np.zeros((150, 150))
        top, left = 5 + number % 30, 5 + number * 7 % 30
        paper[top : top + 112, left : left + 112] -= 0.8 * large
        yield np.clip(paper, 0, 255).astype(np.uint8)


def test_as_many_pictures_are_right_as_with_the_program(visit, digit_html, model, mnist, tmp_path):
    images, labels = mnist
    pictures = list(photographs(images))
    files = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    for file, picture in zip(files, pictures):
        Image.fromarray(picture).save(file)
    expected = predictions(model, *files)
    found = visit(digit_html).evaluate(
        """pictures => pictures.map(({ height, width, data }) => {
            const pixels = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            return Array.from(answer(network, toMnistForm({ height, width, pixels })).probabilities);
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


def drawn(page, *strokes):
    """Strokes, in shares of the paper's side."""
    box = page.locator("#paper").bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()


def verdict(page):
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("#verdict").inner_text()


ONE = [(0.52, 0.15), (0.48, 0.85)]
ZERO = [
    (0.5 + 0.22 * np.cos(angle), 0.5 + 0.33 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 25)
]
SEVEN = [(0.25, 0.2), (0.72, 0.2), (0.42, 0.85)]


def test_drawing_by_mouse(visit, digit_html):
    page = visit(digit_html)
    assert verdict(page) == "Nothing is drawn yet."
    assert page.locator("#undo").is_disabled()
    for stroke, name in [(ONE, "1"), (ZERO, "0"), (SEVEN, "7")]:
        drawn(page, stroke)
        assert verdict(page).startswith(name), name
        assert page.locator("#bars .first .name").inner_text() == name
        page.keyboard.press("Escape")
        assert verdict(page) == "Nothing is drawn yet."
    drawn(page, SEVEN, [(0.3, 0.55), (0.65, 0.55)])
    page.keyboard.press("Control+z")
    before = verdict(page)
    page.locator("#undo").click()
    assert verdict(page) == "Nothing is drawn yet."
    drawn(page, SEVEN)
    assert verdict(page) == before
    page.locator("summary").click()
    assert "of 128 units are active" in page.locator("#layers figcaption").inner_text()


def test_a_picture_is_chosen_dropped_or_pasted(visit, digit_html, model, mnist, tmp_path):
    page = visit(digit_html)
    file = tmp_path / "digit.png"
    Image.fromarray(next(photographs(mnist[0][7:8]))).save(file)
    (expected,) = predictions(model, file)
    page.locator("#file").set_input_files(file)
    page.wait_for_function("() => document.querySelector('#verdict strong')")
    chosen = verdict(page)
    assert chosen.startswith(expected["label"])
    for event, holder in [("drop", "dataTransfer"), ("paste", "clipboardData")]:
        page.locator("#clear").click()
        page.evaluate(
            """([event, holder, data]) => {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                const given = new DataTransfer();
                given.items.add(new File([bytes], "digit.png", { type: "image/png" }));
                const kind = event === "drop" ? DragEvent : ClipboardEvent;
                const settings = { bubbles: true, cancelable: true, [holder]: given };
                document.body.dispatchEvent(new kind(event, settings));
            }""",
            [event, holder, base64.b64encode(file.read_bytes()).decode()],
        )
        page.wait_for_function("() => document.querySelector('#verdict strong')")
        assert verdict(page) == chosen
    (tmp_path / "no.png").write_bytes(b"no picture")
    page.locator("#file").set_input_files(tmp_path / "no.png")
    page.wait_for_function("() => document.querySelector('#problem').textContent !== ''")
    assert "no.png is no picture" in page.locator("#problem").inner_text()
    blank = io.BytesIO()
    Image.new("L", (50, 50), 200).save(blank, "png")
    (tmp_path / "blank.png").write_bytes(blank.getvalue())
    page.locator("#file").set_input_files(tmp_path / "blank.png")
    page.wait_for_function("() => document.querySelector('#problem').textContent === ''")
    assert verdict(page) == "There is no ink in this picture."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_all_can_use_it(visit, digit_html, scheme, width):
    page = visit(digit_html, color_scheme=scheme, viewport={"width": width, "height": 800})
    heights = page.evaluate("() => document.body.scrollHeight")
    for stroke in (None, SEVEN):
        if stroke:
            drawn(page, stroke)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate("() => document.body.scrollHeight") == heights, "the page jumps"
