"""The scale of raw values is part of the model: one PNG gets the same answer from everything that predicts."""

import json
import re
import shutil
import subprocess
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from test_files import program
from test_images import png

from gradus import MLPClassifier, datasets

WEB = Path(__file__).parents[3] / "crates" / "gradus-cli" / "web"

# What a caller makes of grey levels before fitting, and what the model then says about its inputs.
SCALES = {
    "bytes": (lambda pixels: pixels, "bytes"),
    "floats of bytes": (lambda pixels: pixels.astype(np.float32), "bytes"),
    "unit": (lambda pixels: pixels / 255.0, "unit"),
}


@pytest.fixture(scope="module", params=SCALES)
def case(request, digits, tmp_path_factory):
    """A model trained on digits of one scale, its file, a PNG, and the probabilities Python gives it."""
    scale, said = SCALES[request.param]
    (X, y), _ = digits
    # Values from 0 to 1 are learned as they are, grey levels are not.
    options = {"normalization": "none" if request.param == "unit" else "standard"}
    model = MLPClassifier(
        (16,), learning_rate_init=0.01, max_iter=20, random_state=1, **options
    ).fit(scale(X), y)
    folder = tmp_path_factory.mktemp("scale")
    model.save(folder / "model.safetensors")
    paper = np.full((60, 50), 255, dtype=np.uint8)
    paper[10:50, 8:43] = 255 - np.kron(X[4], np.ones((2, 2), dtype=np.uint8))[8:48, 10:45]
    (folder / "digit.png").write_bytes(png(paper))
    form = datasets.read_image(folder / "digit.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = model.predict_proba(scale(form)[None])[0]
    return folder, model, said, form, expected


def test_the_model_says_its_scale(case):
    folder, model, said, _, expected = case
    assert model._model.input_range == said
    again = MLPClassifier.load(folder / "model.safetensors")
    assert again._model.input_range == said
    # A constant model would give the same answer on any scale.
    assert expected.max() > 0.2 and len(set(expected.round(4))) > 3


def test_the_program_predicts_the_same(case):
    folder, _, _, _, expected = case
    done = subprocess.run(
        [program(), "predict", "model.safetensors", "digit.png", "--json"],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = json.loads(done.stdout)["probabilities"]
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-5)
    assert "warning" not in done.stderr


def test_the_server_predicts_the_same(case):
    folder, _, _, form, expected = case
    command = [program(), "serve", "model.safetensors", "--port", "0", "--no-download"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://[0-9.:]+", server.stdout.readline())[0]
            request = urllib.request.Request(
                f"{address}/api/answer",
                (folder / "digit.png").read_bytes(),
                {"Content-Type": "image/png"},
            )
            answer = json.load(urllib.request.urlopen(request, timeout=60))
        finally:
            server.terminate()
    np.testing.assert_array_equal(answer["input"], form.ravel())
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_the_exported_page_predicts_the_same(case):
    folder, _, _, form, expected = case
    if shutil.which("node") is None:
        pytest.skip("there is no node to run the page's script")
    subprocess.run([program(), "export", "model.safetensors", "page.html"], cwd=folder, check=True)
    page = (folder / "page.html").read_text(encoding="utf-8")
    description = re.search(r'<script type="application/json" id="model">(.*?)</script>', page)[1]
    script = (WEB / "network.js").read_text(encoding="utf-8") + f"""
const description = {description};
const network = readNetwork(description, description.data);
console.log(JSON.stringify(Array.from(forward(network, {form.ravel().tolist()}).probabilities)));
"""
    done = subprocess.run(["node", "-"], input=script, check=True, capture_output=True, text=True)
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-5)


def test_onnx_predicts_the_same(case):
    _, model, said, form, expected = case
    raw = form[None].astype(np.float32) / (255 if said == "unit" else 1)
    for graph, samples in [(model.to_onnx(), raw), (model.to_onnx(uint8=True), form[None])]:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        found = session.run(["probabilities"], {"input": samples})[0][0]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_exported_graph_of_bytes_is_read_as_one(case, tmp_path):
    _, model, _, form, expected = case
    model.to_onnx(tmp_path / "bytes.onnx", uint8=True)
    again = MLPClassifier.load(tmp_path / "bytes.onnx")
    assert again._model.input_range == "bytes"
    np.testing.assert_allclose(again.predict_proba(form[None])[0], expected, atol=1e-5)


def test_another_scale_is_warned_of(case):
    _, model, said, form, _ = case
    wrong = form[None] if said == "unit" else form[None] / 255
    for samples in [wrong, np.concatenate([wrong, wrong])]:
        with pytest.warns(UserWarning, match="multiply them by 255|scale them as"):
            model.predict(samples)


def test_standardized_pixels_take_no_image(digits, tmp_path):
    (X, y), _ = digits
    model = MLPClassifier((8,), max_iter=2).fit((X - X.mean()) / X.std(), y)
    assert model._model.input_range == "floats"
    model.save(tmp_path / "model.safetensors")
    (tmp_path / "digit.png").write_bytes(png(255 - X[0]))
    done = subprocess.run(
        [program(), "predict", "model.safetensors", "digit.png"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and "trained on other numbers than grey levels" in done.stderr
