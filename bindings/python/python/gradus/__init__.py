"""gradus: dense neural networks for classification and regression, trained from scratch.

>>> from gradus import MLPClassifier, datasets
>>> (x_train, y_train), (x_test, y_test) = datasets.load_mnist()  # doctest: +SKIP
>>> model = MLPClassifier((128,), normalization="unit", max_iter=6, random_state=0)
>>> model.fit(x_train, y_train).score(x_test, y_test)  # doctest: +SKIP
0.9726
"""

from typing import TYPE_CHECKING

from gradus import plots
from gradus._classifier import MLPClassifier
from gradus._core import version as _version
from gradus._errors import NotFittedError
from gradus._regressor import MLPRegressor
from gradus._tabular import TabularClassifier, TabularRegressor

if TYPE_CHECKING:
    from gradus import communicators, datasets
    from gradus._migration import from_sklearn, to_sklearn

__version__ = _version()
__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "NotFittedError",
    "TabularClassifier",
    "TabularRegressor",
    "__version__",
    "communicators",
    "datasets",
    "from_sklearn",
    "plots",
    "to_sklearn",
]

# What many programs never use is imported when it is first asked for, so that importing the package takes little time.
_LATER = {
    "communicators": "gradus.communicators",
    "datasets": "gradus.datasets",
    "from_sklearn": "gradus._migration",
    "to_sklearn": "gradus._migration",
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'gradus' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_LATER[name])
    found = module if _LATER[name] == f"gradus.{name}" else getattr(module, name)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *__all__})
