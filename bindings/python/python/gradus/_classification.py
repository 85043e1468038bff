"""What classifiers have in common: classes, predictions, their figures and plots."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus import _core, _frames, _inputs
from gradus._mlp import BaseMLP
from gradus.plots import Plot

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gradus._mlp import Samples


class BaseClassifier(BaseMLP):
    """A network whose targets are classes, or several labels for each sample."""

    _estimator_type = "classifier"
    _task = "classification"
    _other_task = "multi-label classification"
    _validation_score = "val_accuracy"

    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    classes_: NDArray[Any]
    n_outputs_: int
    out_activation_: str

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
        index = None
        if type(X) is np.ndarray and "feature_names_in_" not in self.__dict__:
            index = model.label(X)
        elif type(X) is list and len(X) == 1:
            outputs = model.row_outputs(X[0])
            index = None if outputs is None else outputs.argmax()
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
        model = self._fitted()
        probabilities = None
        if type(X) is list and len(X) == 1:
            probabilities = model.row_outputs(X[0])
        if probabilities is not None:
            probabilities = probabilities[None]
        else:
            X = _frames.collected(X)
            labels = self._has_labels()
            probabilities = self._outputs(X, model.label_probabilities if labels else model.probabilities)
        if self._has_labels():
            return probabilities.astype(_inputs.precision(X), copy=False)
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
            labels = _inputs.vector(y, "y", len(predicted))
            if labels.dtype.kind in "fO":
                _inputs.refuse_gaps(labels)
            right = predicted == labels
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

    def _encoded(self, y, samples):
        """Return targets in the form that the core takes."""
        return self._known(y, samples)

    def _output(self, output):
        """Return the place of a class, or of a label; None is the last."""
        count = len(self._model.names)
        if output is None:
            return count - 1
        found = np.flatnonzero(self.classes_ == output)
        if found.size != 1:
            raise ValueError(f"output is {output!r}, but must be one of {self.classes_.tolist()[:20]}")
        return int(found[0])

    def _output_of(self, place):
        return self.classes_[place]

    def _most_probable(self, row):
        """Return the place of the most probable class or label of one row."""
        model = self._model
        compute = model.label_probabilities if self._has_labels() else model.probabilities
        return int(np.argmax(compute(row, 1)))

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
        if self._has_labels() if go_on else is_indicator(y):
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

    task = "multi-label classification"

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


def is_indicator(y):
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
