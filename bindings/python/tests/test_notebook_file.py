"""notebooks/mnist_scratch.ipynb: run from top to bottom on little data, and the outputs that it keeps."""

import os
import re
import runpy
from pathlib import Path

import nbformat
import numpy as np
import pytest

FOLDER = Path(__file__).parents[3] / "notebooks"
SAMPLES, EPOCHS = 2000, 3
IMAGES = {"first", "both", "curves", "confusion", "mistakes", "weights", "own"}


def texts(notebook):
    """What each code cell printed, by the cell's id."""
    return {
        cell.id: "".join(it.text for it in cell.outputs if it.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def images(notebook):
    """The cells that drew something."""
    return {
        cell.id
        for cell in notebook.cells
        if any("image/png" in it.get("data", {}) for it in cell.get("outputs", []))
    }


def accuracies(text):
    """The accuracies of lines `Epoch 0: Accuracy = 0.1128`, whose numbers must count from 0."""
    lines = re.findall(r"^Epoch (\d+): Accuracy = (\d\.\d{4})$", text, re.MULTILINE)
    assert [int(epoch) for epoch, _ in lines] == list(range(len(lines)))
    return np.array([float(accuracy) for _, accuracy in lines])


def check_runs(printed, samples, epochs):
    """Both runs print one line an epoch, and differ by two images at most (and four digits' rounding)."""
    theirs, ours = accuracies(printed["numpy-run"]), accuracies(printed["gradus-run"])
    assert len(theirs) == len(ours) == epochs
    assert np.max(np.abs(theirs - ours)) <= 2 / samples + 1.01e-4
    assert theirs[-1] > theirs[0]
    most = re.search(r"largest difference in any epoch: (\d+) of (\d+) training images", printed["table"])
    assert int(most[1]) <= 2 and int(most[2]) == samples


def run(folder, **environment):
    """The notebook's run on little data, begun in an empty folder."""
    sizes = {"GRADUS_NOTEBOOK_SAMPLES": str(SAMPLES), "GRADUS_NOTEBOOK_EPOCHS": str(EPOCHS)}
    variables = {**os.environ, **sizes, **environment}
    if "GRADUS_PROGRAM" in variables:
        program = Path(variables["GRADUS_PROGRAM"]).absolute().parent
        variables["PATH"] = f"{program}{os.pathsep}{variables['PATH']}"
    executed = runpy.run_path(str(FOLDER / "execute.py"))["executed"]
    return executed(env=variables, cwd=str(folder))


def check_copies(printed):
    """The saved network and its ONNX form answer as the network itself."""
    for cell in ("save", "onnx"):
        assert "the same answers: True" in printed[cell]
    assert float(re.search(r"difference of a probability: (\S+)", printed["onnx"])[1]) <= 1e-5


def check_whole(notebook):
    printed = texts(notebook)
    check_runs(printed, SAMPLES, EPOCHS)
    assert images(notebook) == IMAGES
    answer = re.search(r"^The answer: (\d)$", printed["own"], re.MULTILINE)[1]
    check_copies(printed)
    if "GRADUS_PROGRAM" in os.environ:
        assert f"seven.png: {answer} (" in printed["program"]


def test_it_runs_on_mnist(mnist, tmp_path):
    notebook = run(tmp_path, GRADUS_DATA=str(Path(os.environ["GRADUS_DATA"]).absolute()))
    assert "data:     MNIST" in texts(notebook)["data"]
    check_whole(notebook)


def test_it_runs_without_mnist_and_without_a_network(tmp_path):
    names = [name for kind in ("http", "https", "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]
    proxies = dict.fromkeys(names, "http://127.0.0.1:9")  # where nobody answers
    places = dict.fromkeys(["HOME", "XDG_CACHE_HOME", "GRADUS_DATA", "KERAS_HOME"], str(tmp_path))
    notebook = run(tmp_path, **proxies, **places, NO_PROXY="", no_proxy="")
    assert "MNIST is not on this machine" in texts(notebook)["data"]
    check_whole(notebook)


def test_the_outputs_it_keeps():
    path = FOLDER / "mnist_scratch.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in (output for cell in code for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
    printed = texts(notebook)
    assert "data:     MNIST" in printed["data"]
    check_runs(printed, 60000, 200)
    for cell in ("quick", "deep"):
        reached = re.findall(r"test accuracy (\d+\.\d+) %", printed[cell])
        assert min(map(float, reached)) > 98
    assert "The answer: 7" in printed["own"]
    assert "seven.png: 7 (" in printed["program"]
    check_copies(printed)
    assert images(notebook) == IMAGES
    # Nothing of the machine or of the day on which it ran.
    assert notebook.metadata == runpy.run_path(str(FOLDER / "execute.py"))["METADATA"]
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert not re.search(r"/(home|root|tmp|usr|work)/|site-packages", "".join(printed.values()))
    assert path.stat().st_size < 600_000


def test_its_links_lead_to_files():
    notebook = nbformat.read(FOLDER / "mnist_scratch.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert len(links) >= 5
    for link in links:
        assert (FOLDER / link).is_file(), link
