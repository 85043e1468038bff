"""The Train view in a real browser: runs are started, paused, stopped, saved and used by the page."""

import json
import re
import socket
import time

import pytest
from conftest import axe, gradus, refused, wait_for
from playwright.sync_api import expect

# A run on the built-in digits that is long enough to be paused, and never finishes in a test.
LONG = {"data": "digits", "Hidden layers": "32", "Epochs": "50000", "Validation": "0.2"}


def fill(page, settings):
    """Fills in the form: lists by value, other fields by label."""
    form = page.locator("#settings")
    for name, value in settings.items():
        if name in ("data", "preset"):
            form.locator(f"[name={name}]").select_option(value)
        else:
            form.get_by_label(name, exact=True).fill(value)


def start(page, settings):
    """Starts a run and returns its row, which is the first."""
    before = page.locator("#runs tbody tr").count()
    fill(page, settings)
    page.get_by_role("button", name="Start").click()
    rows = page.locator("#runs tbody tr")
    expect(rows).to_have_count(before + 1)
    return rows.first


def epochs_done(row):
    return int(row.locator(".epoch").inner_text().split(" of ")[0].replace(",", ""))


def wait_for_epochs(row, more_than):
    wait_for(lambda: epochs_done(row) > more_than, f"an epoch after {more_than}")
    return epochs_done(row)


def save(page, row, name):
    """Saves a run's model under a name."""
    row.get_by_role("button", name="Save").click()
    page.locator("#save-name").fill(name)
    page.locator("#save-do").click()


def curves(page):
    """The values of the two charts, by the names of the curves."""
    charts = page.evaluate("document.querySelector('#train').points()")
    return [{line["name"]: line["values"] for line in lines} for lines in charts]


def test_a_run_is_started_paused_continued_stopped_saved_and_used(server, open_page):
    page = open_page("train")
    row = start(page, LONG)
    name = row.locator(".name").inner_text()
    expect(row.locator(".state")).to_have_text("running")
    wait_for_epochs(row, 5)

    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".state")).to_have_text("paused")
    paused_at = epochs_done(row)
    time.sleep(0.5)
    assert epochs_done(row) == paused_at
    loss, accuracy = curves(page)
    for chart in (loss, accuracy):
        assert set(chart) == {f"{name}, training", f"{name}, validation"}
        for values in chart.values():
            assert len(values) == paused_at and all(value is not None for value in values)
    assert loss[f"{name}, training"][-1] < loss[f"{name}, training"][0]
    page.locator("#epochs summary").click()
    expect(page.locator("#epochs-table tbody tr")).to_have_count(paused_at)
    expect(page.locator("#chart-loss")).to_have_attribute(
        "aria-label", re.compile(f"{name} after epoch {paused_at - 1}: training .*, validation ")
    )

    row.get_by_role("button", name="Continue").click()
    wait_for_epochs(row, paused_at)
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".state")).to_contain_text("stopped")
    expect(row.locator(".test")).to_have_text(re.compile(r"\d+\.\d\d %\d+\.\d\d to \d+\.\d\d"))
    expect(page.locator("#train-news")).to_contain_text(f"{name} stopped")

    save(page, row, "by-page.safetensors")
    expect(page.locator("#save")).to_be_hidden()
    expect(row.locator(".run")).to_contain_text("saved as by-page.safetensors")
    reported = json.loads(gradus("inspect", server.folder / "by-page.safetensors", "--json"))
    assert [layer["outputs"] for layer in reported["layers"] if layer["kind"] == "linear"] == [32, 10]
    assert reported["training"]["test_accuracy"] * 100 == pytest.approx(
        float(row.locator(".test").inner_text().split(" %")[0]), abs=0.006
    )

    row.get_by_role("button", name="Use in Draw").click()
    page.wait_for_url("**/#draw")
    expect(page.locator("#train")).to_be_hidden()
    state = page.evaluate("fetch('/api/state').then((answer) => answer.json())")
    assert state["model"]["run"] == state["runs"][-1]["id"]
    assert state["model"]["architecture"].startswith("784-32-10, ")


def test_epochs_are_numbered_as_in_the_terminal(server, open_page, tmp_path):
    page = open_page("train")
    row = start(page, {"data": "digits", "Hidden layers": "16", "Epochs": "4", "Validation": "0.2"})
    expect(row.locator(".state")).to_contain_text("finished")
    assert epochs_done(row) == 4
    page.locator("#epochs summary").click()
    rows = page.locator("#epochs-table tbody tr")
    expect(rows).to_have_count(4)
    shown = [line.split("\t")[:5] for line in rows.all_inner_texts()]
    options = ["--data", "digits", "--hidden", 16, "--epochs", 4, "--validation", 0.2]
    lines = gradus("train", *options, "--out", tmp_path / "m.safetensors").splitlines()
    number = r"([\d.]+)"
    pattern = f"Epoch (\\d+): loss = {number}, accuracy = {number}, val_loss = {number}, val_accuracy = {number}"
    printed = [re.match(pattern, line).groups() for line in lines if line.startswith("Epoch")]
    assert [epoch for epoch, *_ in shown] == [epoch for epoch, *_ in printed] == ["0", "1", "2", "3"]
    # And they have the same losses.
    assert [[one[1], one[3]] for one in shown] == [[one[1], one[3]] for one in printed]
    expect(page.locator("#chart-loss")).to_have_attribute("aria-label", re.compile("after epoch 3: training"))
    box = page.locator("#chart-loss .u-over").bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 50)
    expect(page.locator("#chart-loss .chart-tip")).to_contain_text("Epoch 0")
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 50)
    expect(page.locator("#chart-loss .chart-tip")).to_contain_text("Epoch 3")


def test_a_file_is_replaced_only_when_asked_again(server, open_page):
    page = open_page("train", refusals=True)
    row = start(page, {**LONG, "Epochs": "2"})
    expect(row.locator(".state")).to_have_text("finished")
    save(page, row, "twice.safetensors")
    expect(page.locator("#save")).to_be_hidden()
    save(page, row, "twice.safetensors")
    expect(page.locator("#save-error")).to_contain_text("twice.safetensors")
    expect(page.locator("#save-do")).to_have_text("Replace")
    page.locator("#save-do").click()
    expect(page.locator("#save")).to_be_hidden()
    save(page, row, "../elsewhere.safetensors")
    expect(page.locator("#save-error")).not_to_be_empty()
    page.locator("#save-cancel").click()
    assert not (server.folder.parent / "elsewhere.safetensors").exists()


@pytest.mark.parametrize(
    ("label", "wrong", "words"),
    [
        ("Hidden layers", "12x", "--hidden"),
        ("Epochs", "0", "--epochs"),
        ("Learning rate", "-1", "--learning-rate is -1, but must be above 0"),
        ("Momentum", "0.9", "--momentum is for the optimizers sgd, rmsprop and muon"),
        ("Dropout", "1.5", "dropout"),
    ],
)
def test_wrong_settings_have_the_messages_of_the_command_line(server, open_page, label, wrong, words):
    page = open_page("train", refusals=True)
    page.locator("#more summary").click()
    fill(page, {"data": "digits", label: wrong})
    page.get_by_role("button", name="Start").click()
    error = page.locator("#settings-error")
    expect(error).to_contain_text(words)
    field = page.locator("#settings").get_by_label(label, exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    option = field.get_attribute("name")
    said = refused("train", "--data", "digits", f"--{option}={wrong}")
    assert error.inner_text().strip() in said
    field.fill("")
    expect(error).to_be_empty()
    expect(page.locator("#runs tbody tr")).to_have_count(0)


def test_presets_show_their_values(server, open_page):
    page = open_page("train")
    form = page.locator("#settings")
    hidden, rate = form.get_by_label("Hidden layers"), form.get_by_label("Learning rate")
    expect(hidden).to_have_attribute("placeholder", "256")
    expect(rate).to_have_attribute("placeholder", "0.01")
    form.locator("[name=preset]").select_option("notebook")
    expect(hidden).to_have_attribute("placeholder", "128")
    expect(rate).to_have_attribute("placeholder", "0.001")
    expect(form.locator("[name=optimizer] option").first).to_have_text("sgd (preset)")
    form.locator("[name=preset]").select_option("record")
    shown = form.locator("[name=distort]").get_attribute("placeholder")
    assert re.fullmatch(r"shift:\S+", shown) and "elastic" in shown


def test_several_runs_share_the_charts_and_can_be_hidden(server, open_page):
    page = open_page("train")
    for units in ("16", "24", "32"):
        row = start(page, {**LONG, "Epochs": "3", "Hidden layers": units})
        expect(row.locator(".state")).to_have_text("finished")
    names = page.locator("#runs .name").all_inner_texts()
    assert len(set(names)) == 3
    wait_for(lambda: len(curves(page)[0]) == 6, "6 lines")
    looks = page.locator("#runs label line").evaluate_all(
        "lines => lines.map((line) => line.style.stroke + line.getAttribute('stroke-dasharray'))"
    )
    assert len(set(looks)) == 3
    page.get_by_role("checkbox", name=f"{names[1]}: show its curves").uncheck()
    wait_for(lambda: len(curves(page)[0]) == 4, "4 lines")
    assert not any(line.startswith(f"{names[1]},") for line in curves(page)[0])
    page.reload()
    expect(page.locator("#runs .name")).to_have_text(names)
    expect(page.get_by_role("checkbox", name=f"{names[1]}: show its curves")).not_to_be_checked()
    wait_for(lambda: len(curves(page)[1]) == 4, "4 lines")


def test_a_reload_keeps_the_run_and_its_curve(server, open_page):
    page = open_page("train")
    row = start(page, LONG)
    done = wait_for_epochs(row, 5)
    page.reload()
    row = page.locator("#runs tbody tr").first
    wait_for_epochs(row, done)
    loss, _ = curves(page)
    training = next(values for name, values in loss.items() if name.endswith("training"))
    assert all(value is not None for value in training) and len(training) > done
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".state")).to_contain_text("stopped")


def test_a_reader_that_goes_away_does_no_harm(server, open_page):
    page = open_page("train")
    row = start(page, LONG)
    for _ in range(20):
        reader = socket.create_connection(("127.0.0.1", server.port))
        reader.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        reader.recv(200)
        reader.close()
    # And one that holds its connection and never reads.
    silent = socket.create_connection(("127.0.0.1", server.port))
    silent.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
    done = epochs_done(row)
    wait_for_epochs(row, done + 10)
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".state")).to_contain_text("stopped")
    silent.close()


def test_a_notice_says_that_the_server_is_gone_until_it_is_back(server, serve, open_page):
    page = open_page("train", refusals=True)
    start(page, {**LONG, "Epochs": "2"})
    expect(page.locator("#connection")).to_be_hidden()
    server.stop()
    expect(page.locator("#connection")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#settings-error")).to_contain_text("Cannot reach the server")
    serve(port=server.port)
    expect(page.locator("#connection")).to_be_hidden(timeout=20_000)
    expect(page.locator("#no-runs")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_view_is_accessible(server, open_page, scheme):
    page = open_page("train", color_scheme=scheme)
    row = start(page, {**LONG, "Epochs": "3"})
    expect(row.locator(".state")).to_have_text("finished")
    page.locator("#more summary").click()
    page.locator("#epochs summary").click()
    axe(page)
    row.get_by_role("button", name="Save").click()
    axe(page)


def test_a_phone_shows_all_without_scrolling_sideways(server, open_page):
    page = open_page("train", viewport={"width": 360, "height": 740})
    row = start(page, {**LONG, "Epochs": "3"})
    expect(row.locator(".state")).to_have_text("finished")
    page.locator("#more summary").click()
    page.locator("#epochs summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
