"""The program, a browser, and pages made by the one and watched in the other."""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

PROGRAM = os.environ.get("GRADUS_PROGRAM", "gradus")


def gradus(*arguments):
    """What the program writes to standard output."""
    command = [PROGRAM, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def predictions(model, *files):
    """What `gradus predict` says of the samples of files."""
    return [json.loads(line) for line in gradus("predict", "--json", model, *files).splitlines()]


@pytest.fixture(scope="session")
def mnist():
    """The first 200 of MNIST's test images, and their labels."""
    folder = Path(os.environ.get("GRADUS_DATA", "/nowhere")) / "mnist"
    if not folder.is_dir():
        pytest.skip("GRADUS_DATA does not lead to MNIST")
    images = gzip.open(folder / "t10k-images-idx3-ubyte.gz").read(16 + 200 * 784)[16:]
    labels = gzip.open(folder / "t10k-labels-idx1-ubyte.gz").read(8 + 200)[8:]
    return np.frombuffer(images, np.uint8).reshape(200, 28, 28), np.frombuffer(labels, np.uint8)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def model(folder):
    """A model of 784-128-10: trained on MNIST where that is, else on the built-in digits."""
    path = folder / "model.safetensors"
    here = (Path(os.environ.get("GRADUS_DATA", "/nowhere")) / "mnist").is_dir()
    gradus("train", "--quiet", "--data", "mnist" if here else "digits", "--hidden", 128, "--out", path)
    return path


@pytest.fixture(scope="session")
def digit_html(folder, model):
    """The page with that model in it."""
    path = folder / "digit.html"
    gradus("export", model, path)
    return path


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # One that is installed, else playwright's own.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """visit(path, **settings) opens a page from disk; whatever goes wrong in it fails the test."""
    contexts, wrong = [], []

    def visit(path, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:", "blob:"))
            or wrong.append(request.url),
        )
        page.goto(path.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []
