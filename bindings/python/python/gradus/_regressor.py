"""The regressor."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus import _inputs
from gradus._errors import metric_warning
from gradus._mlp import BaseMLP

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gradus._mlp import Samples


class MLPRegressor(BaseMLP):
    """Dense neural-network regressor in scikit-learn's manner.

    It minimises half the mean squared error by a gradient method on mini-batches; of several values a
    sample, their mean. Parameters that scikit-learn's ``MLPRegressor`` has under the same name mean the
    same here. The same ``random_state`` gives the same model, bit for bit, at any number of threads.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer; ``()`` for softmax regression.
    activation : str or sequence of str, default='relu'
        After each hidden layer: 'identity', 'relu', 'leaky_relu' (slope 0.01; 'leaky_relu:0.1'
        has another), 'tanh', 'sigmoid' ('logistic' is the same) or 'gelu'. A sequence names one for each
        hidden layer.
    solver : {'adam', 'sgd', 'adamw', 'rmsprop', 'lion', 'muon'}, default='adam'
        How weights follow their gradients.
    alpha : float, default=0.0001
        L2 penalty. As in scikit-learn it is divided by the number of samples in a batch: the gradient
        of the mean loss gets ``alpha / batch_size * weights``.
    batch_size : int, 'auto' or 'full', default='auto'
        Samples in a step, at most all, shuffled in every epoch; 'auto' is ``min(200, n_samples)``. 'full'
        takes all samples in every step, in their order.
    learning_rate_init : float, default=0.001
        Learning rate; where ``schedule`` changes it, the largest.
    schedule : str, default='constant'
        'constant', 'cosine', 'one-cycle', 'step:EPOCHS:FACTOR' or 'plateau:PATIENCE:FACTOR'. It is laid
        over ``max_iter`` epochs; `partial_fit` always takes ``learning_rate_init``.
    warm_up : float, default=0.0
        Epochs, also a part of one, in which the learning rate rises to its value.
    max_iter : int, default=200
        Most epochs (passes over the samples).
    random_state : int, RandomState, Generator or None, default=None
        Where all random numbers come from. None draws a seed from ``numpy.random``.
    tol : float, default=1e-4
        By how much an epoch must be better than the best so far to count as progress.
    n_iter_no_change : int or None, default=10
        Training ends when more than this many epochs in a row have brought no progress: of the training
        loss, with ``early_stopping`` of the monitored figure. None for never.
    verbose : bool, default=False
        Whether to print the figures of each epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the earlier call, with its weights and the solver's state. Layers,
        solver, ``batch_norm`` and ``ema_decay`` must then be the same, and no new class may come.
    momentum : float, default=None
        Of 'sgd' (0.9), 'rmsprop' (0) and 'muon' (0.95). None is the value in parentheses.
    nesterovs_momentum : bool, default=None
        Whether to look ahead along the momentum: of 'sgd' and 'muon', True by default.
    beta_1 : float, default=None
        Decay of the mean of gradients: of 'adam', 'adamw', 'lion' and 'muon', 0.9 by default.
    beta_2 : float, default=None
        Decay of the mean of squared gradients: of 'adam', 'adamw' and 'muon' (0.999) and 'rmsprop'
        (0.99); of 'lion' the decay of the mean of gradients (0.99).
    epsilon : float, default=None
        Keeps divisions from 0: of 'adam', 'adamw', 'rmsprop' and 'muon', 1e-8 by default.
    weight_decay : float, default=None
        The solver's own decay of weights: decoupled for 'adamw' and 'muon' (0.01) and 'lion' (0), an L2
        penalty for the others (0). Unlike ``alpha`` it is not divided.
    early_stopping : bool, default=False
        Whether to watch validation data, end when they bring no more progress, and come back to the best
        epoch. The data are `fit`'s ``validation_data``, or a share of the samples set apart.
    validation_fraction : float, default=0.1
        The share that ``early_stopping`` sets apart, shuffled.
    monitor : {'loss', 'val_loss'} or None, default=None
        What ``early_stopping`` and the plateau schedule watch. None is 'val_loss' where there are
        validation data and 'loss' where not.
    normalization : {'none', 'unit', 'standard'}, default='none'
        Fitted on the training samples and part of the model. 'unit' divides bytes by 255 and brings
        floats to 0..1 by feature; 'standard' takes the mean off and divides by the standard deviation, by
        feature (of byte images over all pixels).
    standardize_targets : bool, default=False
        Whether to learn y with mean 0 and standard deviation 1, by output and by ``sample_weight``. ``predict``,
        ``coefs_`` and losses are in the units of y either way; penalties and clipping act on the standardised network.
    init : str or sequence of array-like, default='sklearn'
        Initial weights: 'sklearn' as scikit-learn draws them (Glorot, biases too), 'auto' (He where ReLU and its like
        follow, else Glorot), 'he', 'glorot' or 'normal:S' with a standard deviation S; with these, biases are 0.
        Or the arrays themselves, ``[w1, b1, w2, b2, ...]``: weights are inputs x outputs, biases of
        shape (n,), (n, 1) or (1, n). What goes on from an earlier call keeps its own weights.
    dropout, input_dropout : float, default=0.0
        Share of hidden activations, and of inputs, that are set to 0 in training.
    noise, input_noise : float, default=0.0
        Standard deviation of the noise added before hidden activations, and to normalised inputs.
    batch_norm : bool, default=False
        Whether hidden layers are batch-normalised; ``coefs_`` has it folded in.
    mixup : float, default=0.0
        Alpha of mixup; 0 for none.
    l1 : float, default=0.0
        L1 penalty.
    max_norm, clip_norm, clip_value : float or None, default=None
        Largest norm of the weights that lead to a hidden unit, of the whole gradient, and largest value
        in the gradient.
    ema_decay : float or None, default=None
        Decay of a moving average of the weights, which then is the model.
    distort : str or None, default=None
        Distorts images anew in every epoch: 'standard', 'strong', or parts such as 'shift:2,rotate:10,scale:0.1,
        shear:0.1,elastic:36:6'. Samples must be bytes of shape (height, width).
    callbacks : callable, sequence of callables or None, default=None
        Each is called after every epoch with its figures, a dict with 'epoch' (from 0), 'loss',
        'learning_rate', 'seconds' and, with validation data, 'val_loss'. When one returns True,
        training ends.
    n_jobs : int or None, default=None
        Threads; -1 for one a core, -2 for all cores but one. None is one a core, too, but one alone where steps are very small. It
        does not change the result.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (inputs x outputs) and biases of each layer, read-only copies.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, where X was a frame whose column names are strings.
    n_iter_ : int
        Epochs that were run.
    t_ : int
        Samples seen, each as often as it was.
    loss_, loss_curve_ : float, list of float
        Training loss of the last epoch and of each: the mean over the passes before each step, without
        penalties.
    validation_loss_curve_ : list of float or None
        Loss on the validation data after each epoch.
    validation_scores_, best_validation_score_ : None
        For scikit-learn's sake: epochs are judged by their loss.
    best_loss_ : float or None
        The least loss of all epochs.
    best_epoch_ : int or None
        The epoch, from 0, that the model comes from, with ``early_stopping``.
    history_ : dict of list
        All figures of all epochs, by the names that callbacks get.
    outcome_ : {'finished', 'no_progress', 'stopped'}
        How training ended.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Layers with the inputs; number of values; 'identity'.

    Notes
    -----
    X may be an array of any numbers in any order, a pandas or Polars frame, a SciPy sparse matrix, or
    images of shape (n, height, width). Bytes (uint8) and truth values are trained on as they are:
    where most of them are 0, zeros cost nothing. Everything else is computed in single precision. `fit`
    takes a copy; `predict` takes none of C-ordered float32 and uint8. Sparse matrices stay sparse (those
    of bytes and truth values become dense bytes): training costs what their values cost, unless more than
    half of them are not 0, or 0 does not stay 0: normalised by feature, with noise, dropout or mixup on
    the inputs.

    Ctrl-C ends `fit` after the step in progress. The estimator then is trained as far as it came, and
    KeyboardInterrupt is raised. The same holds for what a callback raises.

    Examples
    --------
    >>> import numpy as np
    >>> from gradus import MLPRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, size=(500, 2))
    >>> y = X[:, 0] * X[:, 1]
    >>> model = MLPRegressor((64,), learning_rate_init=0.01, max_iter=100, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    _estimator_type = "regressor"
    _task = "regression"

    standardize_targets: bool
    n_outputs_: int
    out_activation_: str

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: Literal["adam", "sgd", "adamw", "rmsprop", "lion", "muon"] = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto", "full"] = "auto",
        learning_rate_init: float = 0.001,
        schedule: str = "constant",
        warm_up: float = 0.0,
        max_iter: int = 200,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        tol: float = 1e-4,
        n_iter_no_change: int | None = 10,
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
        monitor: Literal["loss", "val_loss"] | None = None,
        normalization: Literal["none", "unit", "standard"] = "none",
        standardize_targets: bool = False,
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
        """Train on samples and their values.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features) or \
                (n_samples, height, width)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their values.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the samples' losses.
        validation_data : tuple (X, y), default=None
            Evaluated after every epoch.

        Returns
        -------
        self : MLPRegressor
        """
        return self._fit(X, y, sample_weight, validation_data)

    def partial_fit(
        self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> MLPRegressor:
        """Go on training with one epoch over these samples.

        Weights, the solver's state and the normalisation are kept from call to call, and from `fit`. On
        the same samples, several calls give the bits of one `fit` of as many epochs at a constant
        learning rate.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their values.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the samples' losses.

        Returns
        -------
        self : MLPRegressor
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Samples) -> NDArray[np.float64]:
        """Return the values of each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        y : ndarray of float64 of shape (n_samples,) or (n_samples, n_outputs)
            Computed in single precision; a vector where there is one value a sample.
        """
        model = self._fitted()
        values = None
        if type(X) is np.ndarray and "feature_names_in_" not in self.__dict__:
            values = model.value(X)
        if values is None:
            values = self._outputs(X, model.values)
        return values.ravel() if self.n_outputs_ == 1 else values

    def score(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination R^2; of several values the mean of theirs.

        It is 1 for perfect predictions, and 0 for those of the mean of y.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their values.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sample counts.

        Returns
        -------
        r2 : float
        """
        predicted = self.predict(X)
        predicted = predicted.reshape(len(predicted), self.n_outputs_)
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
            targets.names = self._model.names
        return targets

    def _check_outputs(self, values, name):
        if values.shape[1] != self.n_outputs_:
            raise ValueError(
                f"{name} has {values.shape[1]} value(s) for each sample, but {type(self).__name__} was "
                f"trained on {self.n_outputs_}"
            )

    def _class_weights(self, targets):
        return "equal"

    def _set_targets(self, targets):
        self.n_outputs_ = len(targets.names)
        self.out_activation_ = "identity"

    def _targets_to_json(self):
        return {}

    def _targets_from_json(self, model, ours):
        return _Targets(model.names, None)


class _Targets:
    """The values of samples, in single precision, and what they are called."""

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
                f"{name} has {values.shape[1]} value(s) for each sample, but y has {len(self.names)}"
            )
        return _inputs.single(values, name)


def _names(y):
    """Returns the column names of a frame, or the name of a series, where they are strings."""
    names = list(getattr(y, "columns", [getattr(y, "name", None)]))
    named = all(isinstance(name, str) and name for name in names)
    return names if named and len(set(names)) == len(names) else []


def _r2(y, predicted, sample_weight):
    if len(y) < 2:
        warnings.warn(
            "R^2 score is not well-defined with less than two samples.", metric_warning(), stacklevel=3
        )
        return float("nan")
    mean = np.average(y, axis=0, weights=sample_weight)
    errors = np.average((y - predicted) ** 2, axis=0, weights=sample_weight)
    spread = np.average((y - mean) ** 2, axis=0, weights=sample_weight)
    # Values that are all the same: 1 where each is met, else 0.
    scores = np.where(errors == 0, 1.0, 0.0)
    varied = spread > 0
    scores[varied] = 1 - errors[varied] / spread[varied]
    return float(np.mean(scores))
