"""The classifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus import _core, _inputs
from gradus._mlp import BaseMLP
from gradus.plots import Plot

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gradus._mlp import Samples


class MLPClassifier(BaseMLP):
    """Dense neural-network classifier in scikit-learn's manner.

    It minimises the cross-entropy of a softmax over all classes (of two classes, too) by a gradient
    method on mini-batches. Parameters that scikit-learn's ``MLPClassifier`` has under the same name mean
    the same here. The same ``random_state`` gives the same model, bit for bit, at any number of
    threads.

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
        The share that ``early_stopping`` sets apart, shuffled and stratified.
    monitor : {'loss', 'accuracy', 'val_loss', 'val_accuracy'} or None, default=None
        What ``early_stopping`` and the plateau schedule watch. None is 'val_accuracy' with
        ``early_stopping``, else 'val_loss' where there are validation data and 'loss' where not.
    normalization : {'none', 'unit', 'standard'}, default='none'
        Fitted on the training samples and part of the model. 'unit' divides bytes by 255 and brings
        floats to 0..1 by feature; 'standard' takes the mean off and divides by the standard deviation, by
        feature (of byte images over all pixels).
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
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes.
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
    class_weight : dict, 'balanced' or None, default=None
        Factors of the classes' losses.
    callbacks : callable, sequence of callables or None, default=None
        Each is called after every epoch with its figures, a dict with 'epoch' (from 0), 'loss',
        'accuracy', 'learning_rate', 'seconds' and, with validation data, 'val_loss' and 'val_accuracy'.
        When one returns True, training ends.
    n_jobs : int or None, default=None
        Threads; -1 for one a core, -2 for all cores but one. None is one a core, too, but one alone where steps are very small. It
        does not change the result.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
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
    validation_loss_curve_, validation_scores_ : list of float or None
        Loss and accuracy on the validation data after each epoch.
    best_loss_, best_validation_score_ : float or None
        The least loss and the greatest validation score of all epochs.
    best_epoch_ : int or None
        The epoch, from 0, that the model comes from, with ``early_stopping``.
    history_ : dict of list
        All figures of all epochs, by the names that callbacks get.
    outcome_ : {'finished', 'no_progress', 'stopped'}
        How training ended.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Layers with the inputs; number of classes; 'softmax'.

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
    >>> from gradus import MLPClassifier, datasets
    >>> X, y = datasets.digits(2000, seed=1)
    >>> model = MLPClassifier((64,), normalization="unit", max_iter=20, random_state=0)
    >>> model.fit(X, y).predict(X[:3]) == y[:3]
    array([ True,  True,  True])
    """

    _estimator_type = "classifier"
    _task = "classification"
    _usual_monitor = "val_accuracy"

    label_smoothing: float
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    classes_: NDArray[Any]
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
        monitor: Literal["loss", "accuracy", "val_loss", "val_accuracy"] | None = None,
        normalization: Literal["none", "unit", "standard"] = "none",
        init: str | Sequence[ArrayLike] = "sklearn",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        noise: float = 0.0,
        input_noise: float = 0.0,
        batch_norm: bool = False,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        l1: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema_decay: float | None = None,
        distort: str | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
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
    ) -> MLPClassifier:
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features) or \
                (n_samples, height, width)
            The samples.
        y : array-like of shape (n_samples,)
            Their labels: whole numbers, strings, truth values.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the samples' losses.
        validation_data : tuple (X, y), default=None
            Evaluated after every epoch.

        Returns
        -------
        self : MLPClassifier
        """
        return self._fit(X, y, sample_weight, validation_data)

    def partial_fit(
        self,
        X: Samples,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> MLPClassifier:
        """Go on training with one epoch over these samples.

        Weights, the solver's state and the normalisation are kept from call to call, and from `fit`. On
        the same samples, several calls give the bits of one `fit` of as many epochs at a constant
        learning rate.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the samples' losses.

        Returns
        -------
        self : MLPClassifier
        """
        go_on = "_model" in self.__dict__
        if not go_on and classes is None:
            raise ValueError("classes must be given in the first call of partial_fit: all labels")
        if classes is not None:
            classes = np.unique(np.asarray(classes))
            if go_on and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes is {classes.tolist()}, but was {self.classes_.tolist()} in an earlier "
                    "call: they cannot change"
                )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def predict(self, X: Samples) -> NDArray[Any]:
        """Return the most probable class of each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        model = self._fitted()
        if type(X) is np.ndarray and "feature_names_in_" not in self.__dict__:
            index = model.label(X)
            if index is not None:
                return self.classes_[index : index + 1].copy()
        return self.classes_[self._outputs(X, model.labels)]

    def predict_proba(self, X: Samples) -> NDArray[np.float32]:
        """Return the probabilities of all classes for each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        probabilities : ndarray of float32 of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._outputs(X, self._fitted().probabilities)

    def predict_log_proba(self, X: Samples) -> NDArray[np.float32]:
        """Return the logarithms of the probabilities.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        log_probabilities : ndarray of float32 of shape (n_samples, n_classes)
            -inf where a probability is 0 in single precision.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(
        self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the share of samples whose class is predicted.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each sample counts.

        Returns
        -------
        accuracy : float
        """
        predicted = self.predict(X)
        right = predicted == _inputs.vector(y, "y", len(predicted))
        return float(np.average(right, weights=sample_weight))

    def plot_confusion(self, X: Samples, y: ArrayLike) -> Plot:
        """Draw the confusion matrix: true classes in rows, predicted ones in columns.

        Cell (i, j) counts the samples of class i that are predicted as class j, in the order of
        ``classes_``. Of more than 30 classes those with most mistakes are drawn.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        plot : Plot

        Raises
        ------
        NotFittedError
            Before the model is trained.
        ValueError
            Where X or y has not the right shape, or y a label that is not among ``classes_``.

        Examples
        --------
        >>> from gradus import MLPClassifier, datasets
        >>> X, y = datasets.digits(500, seed=1)
        >>> model = MLPClassifier((16,), normalization="unit", max_iter=5, random_state=0).fit(X, y)
        >>> model.plot_confusion(X, y).save("confusion.svg")  # doctest: +SKIP
        """
        model = self._fitted()
        probabilities = self._outputs(X, model.probabilities)
        labels = self._known(y, len(probabilities))
        return Plot(_core.plot_confusion(probabilities, labels, model.names))

    def plot_calibration(self, X: Samples, y: ArrayLike) -> Plot:
        """Draw how often predictions are right against how sure they are.

        Predictions are sorted by their confidence, the probability of the predicted class, into 15
        bins of equal width. Of each bin are drawn its accuracy with an interval of 95 % (Wilson's) over
        its mean confidence, and the number of its predictions. The expected calibration error is
        ``sum(n_b / n * abs(accuracy_b - confidence_b))`` over the bins b.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples, best others than the model was trained on.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        plot : Plot

        Raises
        ------
        NotFittedError
            Before the model is trained.
        ValueError
            Where X or y has not the right shape, or y a label that is not among ``classes_``.

        Examples
        --------
        >>> from gradus import MLPClassifier, datasets
        >>> X, y = datasets.digits(500, seed=1)
        >>> model = MLPClassifier((16,), normalization="unit", max_iter=5, random_state=0).fit(X, y)
        >>> test_x, test_y = datasets.digits(200, seed=1, test=True)
        >>> model.plot_calibration(test_x, test_y).save("calibration.svg")  # doctest: +SKIP
        """
        probabilities = self._outputs(X, self._fitted().probabilities)
        labels = self._known(y, len(probabilities))
        return Plot(_core.plot_calibration(probabilities, labels))

    def _known(self, y, samples):
        """Return the index of each sample's label among the classes."""
        return _Targets(self.classes_, None).encode(y, "y", samples)

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(sparse=True),
        )

    def _targets(self, y, samples, *, go_on, classes=None):
        y = _labels(_inputs.vector(y, "y", samples))
        if classes is None and not go_on:
            classes, values = _inputs.encode(y)
            _warn_of_classes(classes, samples)
        else:
            classes = self.classes_ if classes is None else classes
            values = _inputs.encode_known(y, classes)
        return _Targets(classes, values)

    def _class_weights(self, targets):
        weight = self.class_weight
        if weight is None:
            return "equal"
        if isinstance(weight, str):
            if weight != "balanced":
                raise ValueError(f"class_weight is {weight!r}, but must be a dict, 'balanced' or None")
            return "balanced"
        factors = dict.fromkeys(targets.classes.tolist(), 1.0)
        for label, factor in dict(weight).items():
            if label not in factors:
                raise ValueError(
                    f"class_weight has the class {label!r}, which is not among {list(factors)}"
                )
            factors[label] = float(factor)
        return {"each": list(factors.values())}

    def _set_targets(self, targets):
        self.classes_ = targets.classes
        self.n_outputs_ = len(targets.classes)
        self.out_activation_ = "softmax"

    def _targets_to_json(self):
        return {"classes": {"dtype": self.classes_.dtype.str, "values": self.classes_.tolist()}}

    def _targets_from_json(self, model, ours):
        classes = ours.get("classes")
        names = model.names
        if classes is not None:
            labels = np.array(classes["values"], dtype=np.dtype(classes["dtype"]))
        elif all(name.isascii() and name.isdigit() and name == str(int(name)) for name in names):
            labels = np.array([int(name) for name in names])
        else:
            labels = np.array(names)
        return _Targets(labels, None)


class _Targets:
    """Classes, and the labels of samples as indices among them."""

    def __init__(self, classes, values):
        self.classes = classes
        self.values = values

    @property
    def names(self):
        return [str(label) for label in self.classes.tolist()]

    def encode(self, y, name, samples):
        return _inputs.encode_known(_labels(_inputs.vector(y, name, samples)), self.classes)


def _warn_of_classes(classes, samples):
    """Warns of labels that are probably not what they were meant to be."""
    if len(classes) == 1:
        message = f"y has one class only, {classes[0]!r}: there is nothing to learn"
    elif len(classes) > 10 and 2 * len(classes) > samples:
        message = f"y has {len(classes)} classes for {samples} samples: for values, use MLPRegressor"
    else:
        return
    warnings.warn(message, UserWarning, stacklevel=6)


def _labels(y):
    """Returns y where it holds labels, not measurements."""
    if y.dtype.kind == "f":
        _inputs.check_numbers(y, "y")
        if np.any(y != np.trunc(y)):
            raise ValueError(
                "Unknown label type: continuous. y has numbers that are not whole; a classifier takes "
                "labels"
            )
    elif y.dtype.kind not in "iubUSO":
        raise ValueError(f"Unknown label type: {y.dtype}. Expected whole numbers, strings or bools")
    return y
