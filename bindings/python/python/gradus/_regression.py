"""What regressors have in common: targets, predictions and their figures."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gradus import _frames, _inputs
from gradus._errors import metric_warning
from gradus._mlp import BaseMLP

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gradus._mlp import Samples


class BaseRegressor(BaseMLP):
    """A network whose targets are numbers."""

    _estimator_type = "regressor"
    _task = "regression"
    _validation_score = "val_r2"

    loss: str
    n_outputs_: int
    out_activation_: str

    def predict(self, X: Samples) -> NDArray[np.floating]:
        """Return the predicted targets of each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            float32 if X is float32, otherwise float64, but computed in single precision; a vector if there is one
            output per sample. With several quantiles there is one column for each quantile of each target, those of the
            first target first, in ascending order: they do not cross.
        """
        model = self._fitted()
        values = None
        if type(X) is np.ndarray and "feature_names_in_" not in self.__dict__:
            values = model.value(X)
        elif type(X) is list and len(X) == 1:
            outputs = model.row_outputs(X[0])
            values = None if outputs is None else outputs[None]
        if values is None:
            X = _frames.collected(X)
            values = self._outputs(X, model.values)
        values = values.astype(_inputs.precision(X), copy=False)
        return values.ravel() if self.n_outputs_ == 1 else values

    def predict_interval(self, X: Samples, level: float = 0.9) -> NDArray[np.floating]:
        """Return an interval around each predicted target that holds the truth with a probability of about `level`.

        Intervals come from the errors that the members of a bag made on the samples that they did not learn from
        (`members=5`): all samples have one width, the finite-sample quantile of these errors.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        level : float, default=0.9
            Above 0 and below 1.

        Returns
        -------
        intervals : ndarray of shape (n_samples, 2) or (n_samples, n_outputs, 2)
            The lower and the upper end of each.
        """
        widths = self._fitted().half_widths(float(level))
        if widths is None and len(_quantiles(self._fitted())) > 1:
            raise ValueError("the model predicts quantiles, and these are its intervals: see `predict`")
        if widths is None:
            raise ValueError(
                "the model has no intervals: fit it with members=5, or learn quantiles (loss='quantile')"
            )
        predicted = self.predict(X)
        widths = widths if predicted.ndim == 2 else widths[0]
        widths = np.asarray(widths, predicted.dtype)
        return np.stack([predicted - widths, predicted + widths], axis=-1)

    def score(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination R^2, averaged over the targets if there are several.

        It is 1 for perfect predictions and 0 for always predicting the mean of y. A negative R^2 is worse
        than that mean: usually the targets are large numbers, which the network has not reached yet. With several
        quantiles it is that of the one nearest to the median.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the mean.

        Returns
        -------
        r2 : float
        """
        predicted = self.predict(X)
        quantiles = _quantiles(self._fitted())
        predicted = predicted.reshape(len(predicted), self.n_outputs_)[:, _middle(quantiles) :: len(quantiles)]
        y = _inputs.values(y, "y", len(predicted))
        self._check_outputs(y, "y")
        return _r2(y, predicted, sample_weight)

    def __sklearn_tags__(self):
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(sparse=True),
        )

    def _targets(self, y, samples, *, go_on):
        targets = _Targets(_names(y), _inputs.values(y, "y", samples))
        if go_on:
            self._check_outputs(targets.values, "y")
            targets.names = self._model.target_names
        return targets

    def _check_outputs(self, values, name):
        expected = len(self._model.target_names)
        if values.shape[1] != expected:
            raise ValueError(
                f"{name} has {values.shape[1]} target(s) for each sample, but {type(self).__name__} was "
                f"trained on {expected}"
            )

    def _encoded(self, y, samples):
        """Return targets in the form that the core takes."""
        return _Targets(self._model.target_names, None).encode(y, "y", samples)

    def _output(self, output):
        """Return the place of a value among the outputs, by position or name; None is the first."""
        names = self._model.names
        if output is None:
            return 0
        if output in names:
            return names.index(output)
        if isinstance(output, (int, np.integer)) and 0 <= output < len(names):
            return int(output)
        raise ValueError(f"output is {output!r}, but must be a position below {len(names)} or one of {names[:20]}")

    def _output_of(self, place):
        return self._model.names[place]

    def _most_probable(self, row):
        return 0

    def _class_weights(self, targets):
        return "equal"

    def _set_targets(self, targets):
        self.n_outputs_ = len(self._model.names)
        self.out_activation_ = "exp" if self._model.loss == "poisson" else "identity"

    def _targets_to_json(self):
        return {}

    def _targets_from_json(self, model, ours):
        return _Targets(model.target_names, None)


class _Targets:
    """The targets of samples, in single precision, and their names."""

    def __init__(self, names, values):
        self.names = names
        self.values = None if values is None else _inputs.single(values, "y")
        if len(names) == 0 and values is not None:
            count = values.shape[1]
            self.names = ["y"] if count == 1 else [f"y{at}" for at in range(count)]

    def encode(self, y, name, samples):
        values = _inputs.values(y, name, samples)
        if values.shape[1] != len(self.names):
            raise ValueError(
                f"{name} has {values.shape[1]} target(s) for each sample, but y has {len(self.names)}"
            )
        return _inputs.single(values, name)


def _names(y):
    """Returns the column names of a frame, or the name of a series, if they are strings."""
    names = list(getattr(y, "columns", [getattr(y, "name", None)]))
    named = all(isinstance(name, str) and name for name in names)
    return names if named and len(set(names)) == len(names) else []


def _quantiles(model):
    """Return the levels of the quantiles that a model predicts for each target; one number if it predicts none."""
    kind, _, levels = model.loss.partition(":")
    return [float(level) for level in levels.split(",")] if kind == "quantile" else [0.5]


def _middle(levels):
    """Return the place of the level nearest to the median."""
    return int(np.argmin(np.abs(np.array(levels) - 0.5)))


def _r2(y, predicted, sample_weight):
    if len(y) < 2:
        warnings.warn(
            "R^2 score is not well-defined with less than two samples.", metric_warning(), stacklevel=3
        )
        return float("nan")
    mean = np.average(y, axis=0, weights=sample_weight)
    errors = np.average((y - predicted) ** 2, axis=0, weights=sample_weight)
    spread = np.average((y - mean) ** 2, axis=0, weights=sample_weight)
    # Constant targets: 1 if every prediction is exact, else 0.
    scores = np.where(errors == 0, 1.0, 0.0)
    varied = spread > 0
    scores[varied] = 1 - errors[varied] / spread[varied]
    return float(np.mean(scores))
