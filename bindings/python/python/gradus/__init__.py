"""gradus: dense neural networks for classification and regression, trained from scratch.

>>> from gradus import MLPClassifier, datasets
>>> (x_train, y_train), (x_test, y_test) = datasets.load_mnist()  # doctest: +SKIP
>>> model = MLPClassifier((128,), normalization="unit", max_iter=6, random_state=0)
>>> model.fit(x_train, y_train).score(x_test, y_test)  # doctest: +SKIP
0.9726
"""

from gradus import communicators, datasets, plots
from gradus._classifier import MLPClassifier
from gradus._core import version as _version
from gradus._errors import NotFittedError
from gradus._migration import from_sklearn, to_sklearn
from gradus._regressor import MLPRegressor
from gradus._tabular import TabularClassifier, TabularRegressor

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
