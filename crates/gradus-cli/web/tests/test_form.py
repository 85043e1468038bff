"""The form for rows of tables in a real browser: predictions while typing, gaps, and what each column adds."""

import csv
import json
import re

import pytest
from conftest import axe, gradus, predictions
from playwright.sync_api import expect

COLOURS = ["red", "<b>blue</b>", "green"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with numbers, a category, dates and gaps, and its model."""
    folder = tmp_path_factory.mktemp("table")
    with (folder / "t.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["n", "colour", "day", "same", "kind"])
        for at in range(240):
            n = at * 31 % 60
            kind = "yes" if n > 25 + 20 * (at % 2) else "no"
            rows.writerow(["" if at % 19 == 4 else n, COLOURS[at % 3], f"2024-01-{1 + at * 5 % 28:02}", 1, kind])
    options = ["--label-column", "kind", "--epochs", 40, "--learning-rate", 0.02]
    gradus("train", "--quiet", "--data", folder / "t.csv", *options, "--out", folder / "t.safetensors")
    return folder


def percents(page):
    """The probabilities that are shown, by class."""
    names = page.locator("#row-bars .name").all_inner_texts()
    return dict(zip(names, page.locator("#row-bars .share").all_inner_texts()))


def predicted(table, **values):
    """The probabilities of `gradus predict` as the page shows them."""
    path = table / "row.csv"
    path.write_text(",".join(values) + "\n" + ",".join(values.values()) + "\n")
    found = predictions(table / "t.safetensors", path)[0]["probabilities"]
    return {name: f"{100 * value:.1f} %" for name, value in found.items()}


def test_the_form_predicts_what_predict_does(serve, table, open_page):
    serve(table / "t.safetensors")
    page = open_page("draw")
    expect(page.locator("nav a").first).to_have_text("Predict")
    expect(page.locator("#drawing-title")).to_be_hidden()
    expect(page.get_by_label("colour").locator("option")).to_have_text(["(missing)", *sorted(COLOURS)])
    expect(page.get_by_label("n", exact=True)).not_to_have_value("")
    expect(page.locator("#row-unused")).to_have_text("Not used by the model: same.")
    page.get_by_label("n", exact=True).fill("58")
    page.get_by_label("colour").select_option("red")
    page.get_by_label("day").fill("2024-01-09")
    expected = predicted(table, n="58", colour="red", day="2024-01-09", same="1")
    expect(page.locator("#row-bars .share").first).to_have_text(max(expected.values(), key=lambda it: float(it[:-2])))
    assert percents(page) == expected
    expect(page.locator("#row-verdict strong")).to_have_text("yes")
    expect(page.locator("#row-adds li")).to_have_count(3)
    assert page.locator("#row-adds .name").first.inner_text().startswith("n = 58")
    assert page.locator("#row-adds .share").first.inner_text().startswith("+")
    # A gap.
    page.get_by_role("button", name="All missing").click()
    expected = predicted(table, n="", colour="", day="", same="")
    expect(page.locator("#row-adds .name").first).to_contain_text("= missing")
    assert percents(page) == expected


def test_what_is_no_number_is_marked(serve, table, open_page):
    serve(table / "t.safetensors")
    page = open_page("draw")
    expect(page.locator("#row-adds li")).to_have_count(3)
    field = page.get_by_label("n", exact=True)
    field.fill("many")
    expect(page.locator("#row-problem")).to_have_text("n: many is not a number.")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#row-verdict")).to_have_text("No prediction.")
    field.fill("3")
    expect(page.locator("#row-problem")).to_be_empty()
    expect(page.locator("#row-adds li")).to_have_count(3)


def test_another_class_is_explained(serve, table, open_page):
    serve(table / "t.safetensors")
    page = open_page("draw")
    for name in ["no", "yes"]:
        page.get_by_label("Explain").select_option(label=name)
        expect(page.locator("#row-neutral")).to_have_text(re.compile(f"^Probability of {name}: "))


def test_a_regression_model_predicts_a_value(serve, table, open_page, tmp_path):
    rows = "".join(f"{at % 9},{at % 7},{3 * (at % 9) + at % 7}\n" for at in range(80))
    (tmp_path / "v.csv").write_text("a,b,y\n" + rows)
    options = ["--loss", "squared", "--label-column", "y", "--normalize", "standard", "--epochs", 30]
    gradus("train", "--quiet", "--data", tmp_path / "v.csv", *options, "--out", tmp_path / "v.safetensors")
    serve(tmp_path / "v.safetensors")
    page = open_page("draw")
    page.get_by_label("a", exact=True).fill("8")
    page.get_by_label("b", exact=True).fill("6")
    (tmp_path / "row.csv").write_text("a,b\n8,6\n")
    value = json.loads(gradus("predict", "--json", tmp_path / "v.safetensors", tmp_path / "row.csv"))["values"]["y"]
    expect(page.locator("#row-verdict strong")).to_have_text(f"{float(f'{value:.5g}'):,}")
    expect(page.locator("#row-explain")).to_be_hidden()


def test_models_of_images_and_tables_take_turns(serve, table, model, open_page):
    server = serve(table / "t.safetensors")
    (server.folder / "digits.safetensors").write_bytes(model.read_bytes())
    page = open_page("draw")
    expect(page.locator("#row-adds li")).to_have_count(3)
    page.reload()
    page.locator("#model").select_option(label="digits.safetensors")
    expect(page.locator("#drawing-title")).to_be_visible()
    expect(page.locator("nav a").first).to_have_text("Draw")
    expect(page.locator("#row")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_is_accessible(serve, table, open_page, scheme):
    serve(table / "t.safetensors")
    page = open_page("draw", color_scheme=scheme)
    expect(page.locator("#row-adds li")).to_have_count(3)
    axe(page)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
