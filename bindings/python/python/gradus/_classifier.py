"""The classifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus import _core, _frames, _inputs
from gradus._mlp import BaseMLP, for_steps
from gradus._parameters import complete
from gradus.plots import Plot

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gradus._mlp import Samples


@complete
class MLPClassifier(BaseMLP):
    """Dense neural-network classifier with scikit-learn's interface.

    It minimizes the cross-entropy of a softmax over all classes (also for two classes) by a gradient
    method on mini-batches; if y is an indicator matrix, with any number of labels for each sample, the sum of the binary
    cross-entropies of all labels. Parameters with the same name as in scikit-learn's ``MLPClassifier`` have the
    same meaning. The same ``random_state`` gives the same model, bit for bit, at any number of threads.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; with an indicator matrix the numbers of its columns.
    coefs_, intercepts_ : list of ndarray
        Weights (inputs x outputs) and biases of each layer, read-only copies: float32 if X of `fit` was, otherwise
        float64. They are computed in single precision.
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
    validation_loss_curve_, validation_scores_ : list of float or None
        Loss and accuracy on the validation data after each epoch.
    best_loss_, best_validation_score_ : float or None
        The lowest training loss of all epochs, None with ``early_stopping``; the highest accuracy on the
        validation data.
    best_epoch_ : int or None
        With ``early_stopping``, the epoch (from 0) that the weights come from.
    history_ : dict of list
        All metrics of all epochs, under the names that callbacks get.
    outcome_ : {'finished', 'no_progress', 'stopped'}
        How training ended.
    n_layers_, n_outputs_, out_activation_ : int, int, str
        Number of layers, including the inputs; number of classes or labels; 'softmax', or 'logistic' for several labels.

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
    >>> from gradus import MLPClassifier, datasets
    >>> X, y = datasets.digits(2000, seed=1)
    >>> model = MLPClassifier((64,), normalization="unit", max_iter=20, random_state=0)
    >>> model.fit(X, y).predict(X[:3]) == y[:3]
    array([ True,  True,  True])
    """

    _estimator_type = "classifier"
    _task = "classification"
    _other_task = "multi-label classification"
    _validation_score = "val_accuracy"

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
        y : array-like of shape (n_samples,), or array-like or sparse matrix of shape (n_samples, n_labels)
            Their labels: whole numbers, strings or booleans. With several columns, 1 where a sample has a label, else 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.
        validation_data : tuple (X, y), default=None
            Evaluated after every epoch.

        Returns
        -------
        self : MLPClassifier
        """
        return self._fit(X, y, sample_weight, validation_data)

    @for_steps
    def partial_fit(
        self,
        X: Samples,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> MLPClassifier:
        """Continue training with one epoch over these samples.

        Weights, the solver's state and the normalization are kept between calls, and from `fit`. On the
        same samples, several calls give the same bits as one `fit` with as many epochs at a constant
        learning rate.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of all future calls; required in the first call, unless y is an indicator matrix, whose columns are
            the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.

        Returns
        -------
        self : MLPClassifier
        """
        go_on = "_model" in self.__dict__
        if _is_indicator(y) or self._has_labels():
            return self._partial_fit(X, y, sample_weight)
        if not go_on and classes is None:
            raise ValueError(
                "classes must be given in the first call of partial_fit: the labels of all future calls"
            )
        if classes is not None:
            classes = np.unique(np.asarray(classes))
            if go_on and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes is {classes.tolist()}, but was {self.classes_.tolist()} in an earlier "
                    "call: the classes cannot change"
                )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def predict(self, X: Samples) -> NDArray[Any]:
        """Return the most probable class of each sample, or its labels: those with a probability above 1/2.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            With several labels an indicator matrix of 0 and 1.
        """
        model = self._fitted()
        if self._has_labels():
            return (self._outputs(X, model.label_probabilities) > 0.5).astype(np.int64)
        if type(X) is np.ndarray and "feature_names_in_" not in self.__dict__:
            index = model.label(X)
            if index is not None:
                return self.classes_[index : index + 1].copy()
        return self.classes_[self._outputs(X, model.labels)]

    def predict_proba(self, X: Samples) -> NDArray[np.floating]:
        """Return the probabilities of all classes, or of all labels, for each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``: float32 if X is float32, otherwise float64. They are computed in single
            precision; in double precision they are divided by their sum, so that they add up to 1 there, too.
        """
        X = _frames.collected(X)
        model = self._fitted()
        if self._has_labels():
            return self._outputs(X, model.label_probabilities).astype(_inputs.precision(X), copy=False)
        probabilities = self._outputs(X, model.probabilities)
        if _inputs.precision(X) == np.float32:
            return probabilities
        probabilities = probabilities.astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities

    def predict_log_proba(self, X: Samples) -> NDArray[np.floating]:
        """Return the logarithms of the probabilities.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the precision of `predict_proba`; -inf where a probability is 0 in single precision.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(
        self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the accuracy: the share of samples whose class, or whose labels all together, are predicted correctly.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the mean.

        Returns
        -------
        accuracy : float
        """
        predicted = self.predict(X)
        if self._has_labels():
            right = np.all(predicted == self._known(y, len(predicted)), axis=1)
        else:
            right = predicted == _inputs.vector(y, "y", len(predicted))
        return float(np.average(right, weights=sample_weight))

    def plot_confusion(self, X: Samples, y: ArrayLike) -> Plot:
        """Draw the confusion matrix: true classes in rows, predicted classes in columns.

        Cell (i, j) counts the samples of class i that are predicted as class j, in the order of
        ``classes_``. If there are more than 30 classes, those with the most mistakes are drawn.

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
            If X or y has the wrong shape, or y has a label that is not among ``classes_``.

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
        """Draw the calibration: accuracy against confidence.

        Predictions are sorted by their confidence, the probability of the predicted class, into 15
        bins of equal width. The plot shows the accuracy of each bin with its 95 % interval (Wilson's)
        over its mean confidence, and the number of its predictions. The expected calibration error is
        ``sum(n_b / n * abs(accuracy_b - confidence_b))`` over the bins b.

        Parameters
        ----------
        X : array-like, frame or sparse matrix
            The samples, preferably not those that the model was trained on.
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
            If X or y has the wrong shape, or y has a label that is not among ``classes_``.

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
        targets = _Labels(self._model.names, None) if self._has_labels() else _Targets(self.classes_, None)
        return targets.encode(y, "y", samples)

    def _has_labels(self):
        """Return whether the model was trained on an indicator matrix."""
        model = self.__dict__.get("_model")
        return model is not None and model.task != self._task

    def __sklearn_tags__(self):
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_label=True),
            input_tags=InputTags(sparse=True),
        )

    def _targets(self, y, samples, *, go_on, classes=None):
        if self._has_labels() if go_on else _is_indicator(y):
            values = _indicators(y, "y", samples)
            targets = _Labels(self._model.names if go_on else _names(y, values.shape[1]), values)
            targets.check(values, "y")
            return targets
        y = _labels(_inputs.vector(y, "y", samples))
        if classes is None and not go_on:
            classes, values = _inputs.encode(y)
            _warn_of_classes(classes, samples)
        else:
            classes = self.classes_ if classes is None else classes
            values = _inputs.encode_known(y, classes)
        return _Targets(classes, values)

    def _check_warm_start(self, y, samples):
        if self._has_labels():
            return
        classes = np.unique(_labels(_inputs.vector(y, "y", samples)))
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )

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
        return list(factors.values())

    def _set_targets(self, targets):
        self.classes_ = targets.classes
        self.n_outputs_ = len(targets.classes)
        self.out_activation_ = "logistic" if self._has_labels() else "softmax"

    def _targets_to_json(self):
        if self._has_labels():
            return {}
        return {"classes": {"dtype": self.classes_.dtype.str, "values": self.classes_.tolist()}}

    def _targets_from_json(self, model, ours):
        if model.task != self._task:
            return _Labels(model.names, None)
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


class _Labels:
    """The labels of samples as an indicator matrix of bytes, and their names."""

    def __init__(self, names, values):
        self.names = list(names)
        self.values = values
        self.classes = np.arange(len(self.names))

    def check(self, values, name):
        if values.shape[1] != len(self.names):
            raise ValueError(
                f"{name} has {values.shape[1]} columns, but the model has {len(self.names)} labels: give one column "
                "for each"
            )

    def encode(self, y, name, samples):
        values = _indicators(y, name, samples)
        self.check(values, name)
        return values


def _is_indicator(y):
    """Return whether y is an indicator matrix: several columns of 0 and 1, or a sparse matrix."""
    if y is None:
        return False
    if _inputs.is_sparse(y):
        # A sparse row or column is no matrix of several labels.
        return y.ndim == 2 and min(y.shape) > 1
    try:
        values = np.asarray(y)
    except ValueError:
        # Rows of different lengths.
        return False
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biufO":
        return False
    return bool(np.all((values == 0) | (values == 1)))


def _indicators(y, name, samples):
    """Return an indicator matrix as C-contiguous bytes."""
    if _inputs.is_sparse(y):
        y = y.toarray()
    values = np.asarray(y)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}, but the model was trained on an indicator matrix")
    if len(values) != samples:
        raise ValueError(f"{name} has {len(values)} rows, but X has {samples} samples")
    wrong = ~((values == 0) | (values == 1))
    if np.any(wrong):
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} has {values[row, column]!r} in row {row}, column {column}, but an indicator matrix has 0 and 1 only"
        )
    return np.ascontiguousarray(values, dtype=np.uint8)


def _names(y, count):
    """Return the names of the columns of a frame if they are strings, else their numbers."""
    names = list(getattr(y, "columns", []))
    named = all(isinstance(name, str) and name for name in names) and len(set(names)) == len(names) == count
    return names if named else [str(at) for at in range(count)]


def _warn_of_classes(classes, samples):
    """Warns of labels that are probably not what they were meant to be."""
    category = UserWarning
    if len(classes) == 1:
        message = f"y has one class only, {classes[0]!r}: there is nothing to learn"
        # Nothing is wrong with such a model, and code that turns UserWarning into errors trains scikit-learn's.
        category = RuntimeWarning
    elif len(classes) > 10 and 2 * len(classes) > samples:
        message = f"y has {len(classes)} classes for {samples} samples: for values, use MLPRegressor"
    else:
        return
    warnings.warn(message, category, stacklevel=6)


def _labels(y):
    """Returns y if it contains labels, not measurements."""
    if y.dtype.kind == "f":
        _inputs.check_numbers(y, "y")
        if np.any(y != np.trunc(y)):
            raise ValueError(
                "Unknown label type: continuous. y has numbers that are not whole, but a classifier "
                "needs labels"
            )
    elif y.dtype.kind not in "iubUSO":
        raise ValueError(f"Unknown label type: {y.dtype}. Expected whole numbers, strings or bools")
    return y
