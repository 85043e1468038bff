"""Names from outside cannot forge what the page shows: hidden characters are escaped, markup stays text."""

import re

import numpy as np
import pytest
from conftest import drawn, gradus
from PIL import Image
from playwright.sync_api import expect

STROKE = [(0.5, 0.15), (0.5, 0.85)]

# Each name, and how the page shows it. Names from right to left are isolated by U+2068 and U+2069; a joiner
# stays inside a word whose spelling needs it.
NAMES = {
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "9 (99.99 %)\u202e": "9 (99.99 %)\\u{202e}",
    "a\rb\x1b[31mc\x07": "a\\u{d}b\\u{1b}[31mc\\u{7}",
    "\u2066x\u2069\u2028y": "\\u{2066}x\\u{2069}\\u{2028}y",
    "cat": "cat",
    "cat\u200b": "cat\\u{200b}",
    "שלום": "\u2068שלום\u2069",
    "می‌خواهم": "\u2068می‌خواهم\u2069",
    "long name " * 20 + "end": ("long name " * 20)[:119] + "…",
}

# In the order of the model's classes.
SHOWN = [NAMES[name] for name in sorted(NAMES, key=str.encode)]

# Everything that the page shows or reads aloud.
TEXTS = """() => {
    const texts = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        if (!walker.currentNode.parentElement.closest("script, style")) texts.push(walker.currentNode.data);
    }
    for (const element of document.querySelectorAll("*")) {
        for (const name of ["aria-label", "title", "placeholder", "alt", "data-label"]) {
            texts.push(element.getAttribute(name) ?? "");
        }
    }
    return texts;
}"""

# Control characters but for the line breaks between the page's own elements, and bidirectional controls
# but for the isolates around whole names.
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066\u2067\ufeff]")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A model for 28 x 28 images whose classes have these names, as folders of images can have them."""
    folder = tmp_path_factory.mktemp("names")
    for at, name in enumerate(NAMES):
        (folder / "images" / name).mkdir(parents=True)
        for width in range(1, 11):
            # In MNIST's form: 20 pixels high, and centred.
            image = np.zeros((28, 28), np.uint8)
            image[4:24, 14 - width : 14 + width] = 100 + 10 * at
            Image.fromarray(image).save(folder / "images" / name / f"{width}.png")
    model = folder / "hostile.safetensors"
    gradus("train", "--quiet", "--data", folder / "images", "--hidden", 8, "--epochs", 1, "--out", model)
    return model


def check_texts(page):
    for text in page.evaluate(TEXTS):
        assert not HIDDEN.search(text), repr(text[:200])


@pytest.mark.parametrize("kind", ["exported", "served"])
def test_class_names_are_shown_escaped(serve, visit, hostile, tmp_path, kind):
    if kind == "exported":
        gradus("export", hostile, tmp_path / "digit.html")
        address = (tmp_path / "digit.html").as_uri()
    else:
        address = f"{serve(hostile).url}#draw"
    for width in (1280, 360):
        page = visit(address, viewport={"width": width, "height": 800})
        expect(page.locator("#bars .name")).to_have_text(SHOWN)
        drawn(page, STROKE)
        expect(page.locator("#verdict strong")).not_to_be_empty()
        check_texts(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # The probabilities stay in view beside long names.
        for bar in page.locator("#bars .share").all():
            box = bar.bounding_box()
            assert 0 <= box["x"] and box["x"] + box["width"] <= width


def test_file_names_and_messages_are_shown_escaped(serve, visit, hostile, tmp_path):
    server = serve(hostile)
    # A model whose name hides characters is not offered at all.
    (server.folder / "good\u202esnes.safetensors").write_bytes(hostile.read_bytes())
    (server.folder / "broken.safetensors").write_bytes(b"broken")
    page = visit(f"{server.url}#draw", refusals=True)
    expect(page.locator("#model option")).to_have_count(2)
    check_texts(page)
    page.locator("#model").select_option("broken.safetensors")
    expect(page.locator("#model-problem")).to_contain_text("broken.safetensors")
    # A file that the user drops may come from elsewhere, too.
    file = tmp_path / "photo\u202egnp.exe"
    file.write_bytes(b"not an image")
    page.locator("#file").set_input_files(file)
    expect(page.locator("#problem")).to_contain_text("photo\\u{202e}gnp.exe: not an image")
    check_texts(page)
    page.goto(f"{server.url}#data")
    expect(page.locator("#data-about")).not_to_be_empty()
    check_texts(page)


def test_data_sets_are_shown_with_escaped_names(serve, visit, hostile):
    """The Data view gets its names from the server, as it would from a data set that someone else made."""
    page = visit(f"{serve(hostile).url}#train")
    sample = {"index": 0, "label": 1, "predicted": 2, "probability": 0.5, "of_label": 0.25, "pixels": ""}
    samples = [{**sample, "label": at} for at in range(len(NAMES))]
    listed = {"data": "digits", "total": len(NAMES), "shape": [0, 0], "note": None, "samples": samples}
    listed |= {"classes": list(NAMES), "counts": [1] * len(NAMES)}
    page.route("**/api/samples?*", lambda route: route.fulfill(json=listed))
    page.goto(page.url.replace("#train", "#data"))
    expect(page.locator("#samples li")).to_have_count(len(NAMES))
    shown = list(NAMES.values())
    captions = page.locator("#samples .tile span").all_text_contents()
    assert captions == [
        f"{name}, predicted as {shown[2]} (50.00 %)" if at != 2 else f"{name} (50.00 %)" for at, name in enumerate(shown)
    ]
    page.locator("#samples .tile").first.click()
    expect(page.locator("#sample dd").first).to_have_text(shown[0])
    check_texts(page)
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
