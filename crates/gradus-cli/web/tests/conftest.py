"""Fixtures: the program, a browser, and pages that the program makes and the browser shows."""

import gzip
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

# Playwright's 5 seconds are too few for a development build on a busy machine.
expect.set_options(timeout=20_000)

PROGRAM = os.environ.get("GRADUS_PROGRAM", "gradus")

# What the browser itself writes to the console for an answer such as 400, which the page shows in words.
REFUSAL = "Failed to load resource:"


def gradus(*arguments):
    """Runs the program and returns its standard output."""
    command = [PROGRAM, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def drawn(page, *strokes):
    """Draws strokes, whose points are fractions of the paper's side."""
    box = page.locator("#paper").bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()


def predictions(model, *files):
    """The predictions of `gradus predict` for the samples in files."""
    return [json.loads(line) for line in gradus("predict", "--json", model, *files).splitlines()]


@pytest.fixture(scope="session")
def mnist():
    """The first 200 of MNIST's test images, and their labels."""
    folder = Path(os.environ.get("GRADUS_DATA", "/nowhere")) / "mnist"
    if not folder.is_dir():
        pytest.skip("GRADUS_DATA does not contain MNIST")
    images = gzip.open(folder / "t10k-images-idx3-ubyte.gz").read(16 + 200 * 784)[16:]
    labels = gzip.open(folder / "t10k-labels-idx1-ubyte.gz").read(8 + 200)[8:]
    return np.frombuffer(images, np.uint8).reshape(200, 28, 28), np.frombuffer(labels, np.uint8)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def model(folder):
    """A 784-128-10 model, trained on MNIST if it is available, else on the built-in digits."""
    path = folder / "model.safetensors"
    here = (Path(os.environ.get("GRADUS_DATA", "/nowhere")) / "mnist").is_dir()
    gradus("train", "--quiet", "--data", "mnist" if here else "digits", "--hidden", 128, "--out", path)
    return path


@pytest.fixture(scope="session")
def digit_html(folder, model):
    """The exported page of that model."""
    path = folder / "digit.html"
    gradus("export", model, path)
    return path


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # The system's chromium if there is one, else playwright's own.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """visit(address, **settings) opens a page. An error in its console, or a request to elsewhere, fails the test.

    With refusals=True requests may be refused.
    """
    contexts, wrong = [], []

    def visit(address, refusals=False, **settings):
        home = address.split("#")[0].split("?")[0]
        allowed = (home, "data:", "blob:")
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()

        def logged(message):
            if not (refusals and message.text.startswith(REFUSAL)):
                wrong.append(message.text)

        page.on("console", logged)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: request.url.startswith(allowed) or wrong.append(request.url))
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not wrong, wrong


@pytest.fixture
def open_page(visit, serve):
    """open_page(view, **settings) opens a view of the last server."""
    return lambda view, **settings: visit(f"{serve.servers[-1].url}#{view}", **settings)


def photographs(images):
    """The images as dark digits on larger, lighter paper that is unevenly lit."""
    light = np.linspace(0, 30, 150, dtype=np.float32)
    for number, image in enumerate(images):
        large = np.kron(image, np.ones((4, 4)))
        paper = 235 - light[:, None] + np.zeros((150, 150))
        top, left = 5 + number % 30, 5 + number * 7 % 30
        paper[top : top + 112, left : left + 112] -= 0.8 * large
        yield np.clip(paper, 0, 255).astype(np.uint8)


class Server:
    """A running `gradus serve` and its folder of models."""

    def __init__(self, folder, arguments, port):
        self.folder = folder
        command = [PROGRAM, "serve", *arguments, "--folder", folder, "--port", port, "--no-download"]
        self.process = subprocess.Popen(
            [str(word) for word in command], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().split()[0]
        self.port = urlsplit(self.url).port

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@pytest.fixture
def serve(tmp_path):
    """serve(*arguments, port=0) starts a server. open_page opens pages of the last one."""
    servers = []

    def serve(*arguments, port=0):
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, arguments, port))
        return servers[-1]

    serve.servers = servers
    yield serve
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve):
    """A server without a model."""
    return serve()


def wait_for(condition, what):
    """Waits until `condition()` holds. (The page's policy forbids wait_for_function, which is an eval.)"""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.05)


def axe(page):
    """Checks that axe finds no fault in the page's accessibility."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def refused(*arguments):
    """Runs the program, which must fail, and returns its standard error."""
    command = [PROGRAM, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode != 0
    return ended.stderr
