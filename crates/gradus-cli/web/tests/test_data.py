"""The Data view in a real browser: samples by class and confidence, and the most confident mistakes."""

import base64
import json
import re

import pytest
from conftest import axe, gradus
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of the built-in digits that makes some mistakes."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    gradus("train", "--quiet", "--data", "digits", "--hidden", 8, "--epochs", 3, "--out", path)
    return path


def choose(page, **fields):
    """Chooses values in the form and returns the server's answer."""
    for name, value in fields.items():
        asked = re.compile(rf"/api/samples\?.*\b{name}={value}\b")
        with page.expect_response(asked) as answer:
            page.locator(f"#choose [name={name}]").select_option(value)
    listed = answer.value.json()
    expect(page.locator("#samples li")).to_have_count(min(60, listed["total"]))
    return listed


def captions(page):
    return page.locator("#samples .tile span").all_inner_texts()


def test_the_most_confident_mistakes_are_those_of_evaluate(serve, model, open_page):
    serve(model)
    page = open_page("data")
    expect(page.locator("#samples li").first).to_be_visible()
    reported = json.loads(gradus("evaluate", model, "--data", "digits", "--errors", "20", "--json"))
    expected = [
        f"{worst['label']}, predicted as {worst['predicted']} ({100 * worst['probability']:.2f} %)"
        for worst in reported["errors"]
    ]
    assert captions(page)[: len(expected)] == expected
    for at, worst in enumerate(reported["errors"][:3]):
        page.locator("#samples .tile").nth(at).click()
        expect(page.locator("#sample-title")).to_have_text(f"Sample {worst['index']} of the test split")
        facts = page.locator("#sample dd").all_inner_texts()
        assert facts[0] == worst["label"]
        assert facts[2] == f"{100 * worst['label_probability']:.2f} %"
        page.keyboard.press("Escape")


def test_classes_and_predictions_choose_samples(serve, model, open_page):
    serve(model)
    page = open_page("data")
    counts = json.loads(gradus("data", "digits", "--json"))["test"]["class_counts"]
    choose(page, order="index")
    classes = page.locator("#choose-class option").all_inner_texts()
    assert classes == ["all", *(f"{at} ({count:,})" for at, count in enumerate(counts))]
    for at, count in enumerate(counts):
        listed = choose(page, **{"class": str(at)})
        assert listed["total"] == count
        assert {sample["label"] for sample in listed["samples"]} == {at}
    confused = json.loads(gradus("evaluate", model, "--data", "digits", "--json"))["confusion"]
    choose(page, **{"class": "all"})
    listed = choose(page, predicted="3")
    assert listed["total"] == sum(row[3] for row in confused)
    listed = choose(page, **{"class": "8"})
    assert listed["total"] == confused[8][3]


def test_orders_go_by_confidence(serve, model, open_page):
    serve(model)
    page = open_page("data")
    sure = [sample["probability"] for sample in choose(page, order="surest")["samples"]]
    unsure = [sample["probability"] for sample in choose(page, order="least-sure")["samples"]]
    assert sure == sorted(sure, reverse=True) and unsure == sorted(unsure)
    assert unsure[-1] < sure[-1]
    indices = [sample["index"] for sample in choose(page, order="index")["samples"]]
    assert indices == list(range(60))


def test_fields_that_need_a_model_are_enabled_once_there_is_one(serve, model, open_page):
    serve(model)
    # Before the server's first event a choice would be lost. Without scripts the page stays in that state.
    early, page = open_page("data", java_script_enabled=False), open_page("data")
    for name in ["predicted", "order"]:
        expect(early.locator(f"#choose-{name}")).to_be_disabled()
        expect(page.locator(f"#choose-{name}")).to_be_enabled()


def test_more_samples_follow_and_none_comes_twice(serve, model, open_page):
    serve(model)
    page = open_page("data")
    listed = choose(page, order="index", **{"class": "8"})
    total, found = listed["total"], [sample["index"] for sample in listed["samples"]]
    assert total > 60
    while len(found) < total:
        with page.expect_response("**/api/samples?*") as answer:
            page.locator("#data-more").click()
        found += [sample["index"] for sample in answer.value.json()["samples"]]
        expect(page.locator("#samples li")).to_have_count(len(found))
    assert len(set(found)) == total
    expect(page.locator("#data-more")).to_be_hidden()
    page.locator("#samples .tile").last.click()
    expect(page.locator("#sample-title")).to_have_text(f"Sample {found[-1]} of the test split")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#sample-title")).to_have_text(f"Sample {found[-2]} of the test split")


def test_an_image_has_the_bytes_of_its_sample(serve, model, open_page):
    serve(model)
    page = open_page("data")
    listed = choose(page, order="index")
    drawn = page.locator("#samples canvas").nth(5).evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )
    assert bytes(drawn[::4]) == base64.b64decode(listed["samples"][5]["pixels"])


def test_without_a_model_samples_are_shown_by_class(serve, open_page):
    serve()
    page = open_page("data")
    expect(page.locator("#data-hint")).to_contain_text("not trained on any of these data sets")
    listed = choose(page, data="digits")
    assert not any("predicted" in sample for sample in listed["samples"])
    expect(page.locator("#choose-order")).to_be_disabled()
    listed = choose(page, **{"class": "7"})
    assert set(captions(page)) == {"7"}


def test_a_model_of_other_data_changes_nothing(serve, open_page, tmp_path):
    (tmp_path / "table.csv").write_text("u,v,label\n" + "1,2,a\n3,4,b\n" * 50)
    gradus("train", "--quiet", "--data", tmp_path / "table.csv", "--out", tmp_path / "t.safetensors")
    serve(tmp_path / "t.safetensors")
    page = open_page("data")
    expect(page.locator("#choose-set")).to_be_visible()
    choose(page, data="digits")
    expect(page.locator("#data-error")).to_be_empty()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_view_is_accessible(serve, model, open_page, scheme):
    serve(model)
    page = open_page("data", color_scheme=scheme)
    expect(page.locator("#samples li").first).to_be_visible()
    axe(page)
    page.locator("#samples .tile").first.click()
    axe(page)
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
