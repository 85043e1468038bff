"""The regressor."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus import _frames, _inputs
from gradus._errors import metric_warning
from gradus._mlp import BaseMLP, for_steps
from gradus._parameters import complete

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gradus._mlp import Samples


@complete
class MLPRegressor(BaseMLP):
    """Dense neural-network regressor with scikit-learn's interface.

    It minimizes half the mean squared error or another ``loss``, averaged over the targets if a sample has several, by
    a gradient method on mini-batches. Parameters with the same name as in scikit-learn's ``MLPRegressor``
    have the same meaning. The same ``random_state`` gives the same model, bit for bit, at any number of
    threads.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (inputs x outputs) and biases of each layer, read-only copies.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if X was a frame whose column names are strings.
    n_iter_ : int
        Number of epochs.
    t_ : int
        Number of samples seen in all epochs.
    loss_, loss_curve_ : float, list of float
        Training loss of the last epoch and of each epoch: the mean over the forward passes before each
        step, without penalties.
    validation_loss_curve_ : list of float or None
        Loss on the validation data after each epoch.
    validation_scores_ : list of float or None
        R^2 on the validation data after each epoch.
    best_loss_, best_validation_score_ : float or None
        The lowest training loss of all epochs, None with ``early_stopping``; the highest R^2 on the validation data.
    best_epoch_ : int or None
        With ``early_stopping``, the epoch (from 0) that the weights come from.
    history_ : dict of list
        All metrics of all epochs, under the names that callbacks get.
    outcome_ : {'finished', 'no_progress', 'stopped'}
        How training ended.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Number of layers, including the inputs; number of outputs, which are the targets, or the quantiles of each;
        'identity', or 'exp' with Poisson loss.

    Notes
    -----
    X may be an array of numbers of any type and memory order, a pandas or Polars frame, a SciPy sparse
    matrix, or images of shape (n, height, width). Bytes (uint8) and booleans are trained on as they are:
    if most of them are 0, zeros cost nothing. Everything else is converted to single precision. `fit`
    makes a copy; `predict` does not copy C-ordered float32 and uint8. Sparse matrices stay sparse (those
    of bytes and booleans become dense bytes), and only their non-zeros cost time. They are trained on as
    dense rows if more than half of the values are not 0, or if 0 does not stay 0: with normalization by
    feature, or with noise, dropout or mixup on the inputs.

    Ctrl-C ends `fit` after the current step. The estimator is then trained up to that step, and
    KeyboardInterrupt is raised. An exception in a callback has the same effect.

    Examples
    --------
    >>> import numpy as np
    >>> from gradus import MLPRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, size=(500, 2))
    >>> y = X[:, 0] * X[:, 1]
    >>> model = MLPRegressor(hidden_layer_sizes=(64,), learning_rate_init=0.01, max_iter=100, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    _estimator_type = "regressor"
    _task = "regression"
    _validation_score = "val_r2"

    loss: str
    standardize_targets: bool
    output_weights: Sequence[float] | None
    n_outputs_: int
    out_activation_: str

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: Literal["adam", "sgd", "lbfgs", "adamw", "rmsprop", "lion", "muon"] = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto", "full"] = "auto",
        learning_rate: Literal["constant", "invscaling", "adaptive"] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        schedule: str = "constant",
        warm_up: float = 0.0,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        tol: float = 1e-4,
        n_iter_no_change: int | None = 10,
        max_fun: int = 15000,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float | None = None,
        nesterovs_momentum: bool | None = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        monitor: Literal["loss", "val_loss", "val_r2"] | None = None,
        normalization: Literal["none", "unit", "standard"] = "none",
        standardize_targets: bool = False,
        output_weights: Sequence[float] | None = None,
        init: str | Sequence[ArrayLike] = "sklearn",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        noise: float = 0.0,
        input_noise: float = 0.0,
        batch_norm: bool = False,
        mixup: float = 0.0,
        l1: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema_decay: float | None = None,
        distort: str | None = None,
        callbacks: Callable[[dict[str, float]], Any] | Sequence[Callable] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self._keep(locals())

    def fit(
        self,
        X: Samples,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[Samples, ArrayLike] | None = None,
    ) -> MLPRegressor:
        """Train on samples and their targets.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features) or \
                (n_samples, height, width)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.
        validation_data : tuple (X, y), default=None
            Evaluated after every epoch.

        Returns
        -------
        self : MLPRegressor
        """
        return self._fit(X, y, sample_weight, validation_data)

    @for_steps
    def partial_fit(
        self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> MLPRegressor:
        """Continue training with one epoch over these samples.

        Weights, the solver's state and the normalization are kept between calls, and from `fit`. On the
        same samples, several calls give the same bits as one `fit` with as many epochs at a constant
        learning rate.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : MLPRegressor
        """
        return self._partial_fit(X, y, sample_weight)

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
        if values is None:
            X = _frames.collected(X)
            values = self._outputs(X, model.values)
        values = values.astype(_inputs.precision(X), copy=False)
        return values.ravel() if self.n_outputs_ == 1 else values

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
