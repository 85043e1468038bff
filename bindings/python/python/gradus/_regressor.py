"""The regressor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus._mlp import for_steps
from gradus._parameters import complete
from gradus._regression import BaseRegressor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gradus._mlp import Samples


@complete
class MLPRegressor(BaseRegressor):
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

    standardize_targets: bool
    clip_predictions: bool
    output_weights: Sequence[float] | None
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
        clip_predictions: bool = False,
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
        columns: Literal["infer"] | Mapping[str | int, str] | None = None,
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
        communicator: Any = None,
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
        communicator : object, default=None
            The processes that train together, of `gradus.communicators` or of mpi4py. All of them call `fit` with the same
            parameters and data, and end with the same bits as one process. Their number, a power of two, must divide
            the micro-batches of a batch (``micro_batches``).

        Returns
        -------
        self : MLPRegressor
        """
        return self._fit(X, y, sample_weight, validation_data, communicator)

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
