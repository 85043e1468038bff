"""The package as a whole: its stubs and its documentation are complete."""

import ast
import doctest
import inspect
from pathlib import Path

import pytest

import gradus
from gradus import MLPClassifier, MLPRegressor, _core, datasets, plots


def test_the_stubs_name_everything():
    folder = Path(gradus.__file__).parent
    assert (folder / "py.typed").is_file()
    tree = ast.parse((folder / "_core.pyi").read_text())
    stubs = {it.name: it for it in tree.body if isinstance(it, (ast.FunctionDef, ast.ClassDef))}
    public = {name for name in dir(_core) if not name.startswith("_")}
    assert set(stubs) == public
    for name, stub in stubs.items():
        found = getattr(_core, name)
        if isinstance(stub, ast.ClassDef):
            named = {it.name for it in stub.body if isinstance(it, ast.FunctionDef)}
            members = {name for name in named if not name.startswith("_")}
            assert members == {it for it in vars(found) if not it.startswith("_")}, name
        else:
            reported = stub.args.args + stub.args.kwonlyargs
            assert [it.arg for it in reported] == list(inspect.signature(found).parameters), name


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_every_parameter_is_documented(kind):
    text = inspect.getdoc(kind)
    documented = {
        name
        for line in text.splitlines()
        if " : " in line and not line.startswith(" ")
        for name in line.split(" : ")[0].split(", ")
    }
    assert set(kind().get_params()) <= documented
    attributes = {name for name in documented if name.endswith("_")}
    fitted = kind(hidden_layer_sizes=(4,), max_iter=1).fit([[0.0], [1.0]], [0, 1])
    missing = {name for name in attributes if not hasattr(fitted, name)} - {"feature_names_in_"}
    assert not missing
    shown = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    assert shown <= attributes


def test_both_estimators_say_the_same_of_the_same_parameters():
    classifier, regressor = MLPClassifier().get_params(), MLPRegressor().get_params()
    assert set(classifier) - set(regressor) == {"label_smoothing", "class_weight"}
    assert set(regressor) - set(classifier) == {"loss", "output_weights", "standardize_targets", "clip_predictions"}
    assert all(classifier.get(name, value) == value for name, value in regressor.items())
    texts = [_parameter_texts(kind) for kind in (MLPClassifier, MLPRegressor)]
    assert all(texts[0].get(name, text) == text for name, text in texts[1].items())


def _parameter_texts(kind):
    """What the docstring says of each parameter."""
    section = inspect.getdoc(kind).split("Parameters\n----------\n")[1].split("\n\nAttributes")[0]
    texts = {}
    for line in section.splitlines():
        if not line.startswith(" "):
            names = line.split(" : ")[0]
            texts[names] = ""
        texts[names] += line
    return texts


@pytest.mark.parametrize(
    "module", [gradus, datasets, plots, gradus._mlp, gradus._classifier, gradus._regressor]
)
def test_examples_in_docstrings(module):
    failed, _ = doctest.testmod(module)
    assert failed == 0


@pytest.mark.parametrize("name", datasets.__all__)
def test_what_gives_data_is_documented(name):
    given = getattr(datasets, name)
    # A class returns itself.
    section = "Parameters\n----------" if inspect.isclass(given) else "Returns\n-------"
    assert section in inspect.getdoc(given)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_plots_are_documented(kind):
    draws = {name: getattr(kind, name) for name in dir(kind) if name.startswith("plot_")}
    assert len(draws) == (5 if kind is MLPClassifier else 3)
    for draw in draws.values():
        assert inspect.signature(draw).return_annotation == "Plot"
        assert "Raises\n------\nNotFittedError" in inspect.getdoc(draw)


def test_version():
    assert gradus.__version__ == _core.version()
