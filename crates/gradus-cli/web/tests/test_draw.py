"""Drawing in a real browser: the same on the exported page and on that of `gradus serve`."""

import base64

import numpy as np
import pytest
from conftest import axe, drawn, photographs, predictions
from PIL import Image
from playwright.sync_api import expect

ONE = [(0.52, 0.15), (0.48, 0.85)]
ZERO = [
    (0.5 + 0.22 * np.cos(angle), 0.5 + 0.33 * np.sin(angle)) for angle in np.linspace(0, 2 * np.pi, 25)
]
SEVEN = [(0.25, 0.2), (0.72, 0.2), (0.42, 0.85)]


@pytest.fixture(params=["exported", "served"])
def paper(request, serve, visit):
    """paper(**settings) opens a page on which to draw, and waits until it can."""

    def paper(**settings):
        if request.param == "exported":
            page = visit(request.getfixturevalue("digit_html").as_uri(), **settings)
        else:
            server = serve(request.getfixturevalue("model"))
            page = visit(f"{server.url}#draw", **settings)
        expect(page.locator("#bars li")).to_have_count(10)
        return page

    return paper


def verdict(page):
    expect(page.locator("#bars")).to_have_attribute("aria-busy", "false")
    return page.locator("#verdict").inner_text()


def test_drawing_by_mouse(paper):
    page = paper()
    assert verdict(page) == "Nothing drawn yet."
    assert page.locator("#undo").is_disabled()
    for stroke, name in [(ONE, "1"), (ZERO, "0"), (SEVEN, "7")]:
        drawn(page, stroke)
        assert verdict(page).startswith(name), name
        assert page.locator("#bars .first .name").inner_text() == name
        page.keyboard.press("Escape")
        assert verdict(page) == "Nothing drawn yet."
    drawn(page, SEVEN, [(0.3, 0.55), (0.65, 0.55)])
    page.keyboard.press("Control+z")
    before = verdict(page)
    page.locator("#undo").click()
    assert verdict(page) == "Nothing drawn yet."
    drawn(page, SEVEN)
    assert verdict(page) == before
    page.locator("#units summary").click()
    expect(page.locator("#layers figcaption")).to_contain_text("of 128 units are active")
    assert "0 of 128" not in page.locator("#layers figcaption").inner_text()


def test_drawing_by_finger(paper):
    page = paper(has_touch=True, viewport={"width": 360, "height": 740})
    box = page.locator("#paper").bounding_box()
    session = page.context.new_cdp_session(page)
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    for kind, point in [("touchStart", points[0]), *(("touchMove", point) for point in points[1:])]:
        touch = {"type": kind, "touchPoints": [{"x": point[0], "y": point[1]}]}
        session.send("Input.dispatchTouchEvent", touch)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert verdict(page).startswith("7")


def test_an_image_is_chosen_dropped_or_pasted(paper, model, mnist, tmp_path):
    page = paper(refusals=True)
    file = tmp_path / "digit.png"
    Image.fromarray(next(photographs(mnist[0][7:8]))).save(file)
    (expected,) = predictions(model, file)
    page.locator("#file").set_input_files(file)
    expect(page.locator("#verdict strong")).to_have_text(expected["label"])
    chosen = verdict(page)
    for event, holder in [("drop", "dataTransfer"), ("paste", "clipboardData")]:
        page.locator("#clear").click()
        assert verdict(page) == "Nothing drawn yet."
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
        expect(page.locator("#verdict strong")).to_have_text(expected["label"])
        assert verdict(page) == chosen
    (tmp_path / "no.png").write_bytes(b"not an image")
    page.locator("#file").set_input_files(tmp_path / "no.png")
    expect(page.locator("#problem")).to_contain_text("no.png: not an image")
    Image.new("L", (50, 50), 200).save(tmp_path / "blank.png")
    page.locator("#file").set_input_files(tmp_path / "blank.png")
    expect(page.locator("#problem")).to_be_empty()
    assert verdict(page) == "No ink found in this image."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_all_can_use_it(paper, scheme, width):
    page = paper(color_scheme=scheme, viewport={"width": width, "height": 800})
    heights = page.evaluate("() => document.body.scrollHeight")
    for stroke in (None, SEVEN):
        if stroke:
            drawn(page, stroke)
            assert verdict(page).startswith("7")
        axe(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate("() => document.body.scrollHeight") == heights, "the page jumps"


def test_as_many_photos_are_right_as_with_predict(serve, visit, model, mnist, tmp_path):
    images, labels = mnist
    files = [tmp_path / f"{number}.png" for number in range(len(images))]
    for file, photo in zip(files, photographs(images)):
        Image.fromarray(photo).save(file)
    expected = [one["label"] for one in predictions(model, *files)]
    page = visit(f"{serve(model).url}#draw")
    # The page has its model.
    expect(page.locator("#bars li")).to_have_count(10)
    found = []
    for file in files:
        page.locator("#file").set_input_files(file)
        expect(page.locator("#bars")).to_have_attribute("aria-busy", "false")
        found.append(verdict(page).splitlines()[0])
    assert found == expected
    assert sum(int(one) == label for one, label in zip(found, labels)) >= 180


def test_without_a_model_the_page_says_so(serve, visit):
    page = visit(f"{serve().url}#draw")
    expect(page.locator("#model-about")).to_contain_text("Train one, or start gradus serve with a model")
    drawn(page, SEVEN)
    assert verdict(page) == "No model is loaded."
    axe(page)


def test_another_model_is_chosen(serve, visit, model):
    server = serve(model)
    (server.folder / "other.safetensors").write_bytes(model.read_bytes())
    (server.folder / "broken.safetensors").write_bytes(b"broken")
    page = visit(f"{server.url}#draw", refusals=True)
    drawn(page, SEVEN)
    assert verdict(page).startswith("7")
    page.locator("#model").select_option("other.safetensors")
    expect(page.locator("#model-about")).to_contain_text("784-128-10, relu")
    state = page.evaluate("fetch('/api/state').then((answer) => answer.json())")
    assert state["model"]["name"] == "other.safetensors"
    page.locator("#model").select_option("broken.safetensors")
    expect(page.locator("#model-problem")).to_contain_text("broken.safetensors")
    expect(page.locator("#model")).to_have_value('{"file":"other.safetensors"}')
