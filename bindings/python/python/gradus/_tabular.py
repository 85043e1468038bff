"""Estimators for tables of raw columns, with few parameters: the recipe of the program's presets for tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gradus import _core, _kinds, _settings
from gradus._classification import BaseClassifier
from gradus._mlp import BaseMLP
from gradus._regression import BaseRegressor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gradus._mlp import Samples

_PRESETS = ("tabular", "tabular-small", "tabular-quick")

# With fewer samples none are held out: a share of them would say nothing.
_FEWEST_TO_HOLD_OUT = 20


class BaseTabular(BaseMLP):
    """A network trained by a preset for tables; the presets of the core have its settings."""

    preset: str
    epochs: int | None
    members: int | None
    categorical_features: Any

    # What the presets decide, where training asks for it.
    solver = "adamw"
    learning_rate = "constant"
    schedule = "coslog4"
    normalization = "robust"
    init = "tabular"
    early_stopping = False
    warm_start = False

    def _chosen_kinds(self, names, count):
        return _kinds.categorical(self.categorical_features, names, count)

    def _held_out(self, early, given, samples):
        share = _settings.number("validation_fraction", self.validation_fraction)
        if not 0.0 <= share < 1.0:
            raise ValueError(f"validation_fraction is {share}, but must be at least 0 and below 1")
        return 0.0 if given or self._is_bag() or samples < _FEWEST_TO_HOLD_OUT else share

    def _is_bag(self):
        """Returns whether there are several networks, which validate each other on their folds."""
        return self.members is not None and _settings.whole("members", self.members, least=1) > 1

    def _patience(self):
        # The presets run all of their epochs.
        return None

    def _texts(self, run):
        if self.preset not in _PRESETS:
            raise ValueError(f"preset is {self.preset!r}, but must be one of {', '.join(map(repr, _PRESETS))}")
        texts = _core.preset_settings(self.preset, run.task)
        if run.task != self._task:
            # Several labels leave nothing to smooth.
            texts.pop("label_smoothing", None)
        own = {
            "random_state": run.seed,
            "validation_fraction": run.validation,
            "class_weight": run.class_weights,
            "members": self.members if self._is_bag() else None,
            "n_jobs": _settings.threads(self.n_jobs),
            **self._own_settings(),
        }
        if self.epochs is not None:
            own["max_iter"] = _settings.whole("epochs", self.epochs, least=1)
        for parameter, value in own.items():
            if value is not None:
                texts[_settings.BY_PARAMETER[parameter].name] = _settings.text(parameter, value)
        if not run.validates and not self._is_bag():
            # Without validation data the last epoch is kept.
            texts.pop("keep_best", None)
            texts.pop("monitor", None)
        return {name: value for name, value in texts.items() if _is_for(name, self._task)}

    def _free_settings(self):
        return ["batch_size", "numeric_embedding"]

    def _own_settings(self):
        """Returns the parameters of this kind of estimator that are settings, with their values."""
        return {}

    def _worded(self, message):
        # Some advice is about parameters that a recipe decides.
        other = f"MLP{self._estimator_type.capitalize()}"
        for theirs, ours in (
            (" or another learning_rate_init", ""),
            ("learning_rate_init", f"learning_rate_init (of {other}, which takes tables with columns='infer')"),
            ("max_iter", "epochs"),
        ):
            message = message.replace(theirs, ours)
        return message

    def _take(self, run, *args, **kwargs):
        super()._take(run, *args, **kwargs)
        # Training does not go on: a pickle needs no state of the solver.
        self._state = None
        # A run that is loaded has no samples.
        self._kept = getattr(run, "kept", None)
        self.__dict__.pop("_found_importances", None)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


def _is_for(name, task):
    """Return whether a setting has an effect in this task."""
    return next(it for it in _settings.SETTINGS if it.name == name).task in (None, task)


_PARAMETERS = """
    preset : {'tabular', 'tabular-small', 'tabular-quick'}, default='tabular'
        The recipe: 'tabular' with embeddings of numbers and categories, 'tabular-small' without them and without
        dropout, 'tabular-quick' with a quarter of the epochs.
    epochs : int or None, default=None
        Passes over the training part; None leaves it to the preset: 128, of 'tabular-quick' 32.
    members : int or None, default=None
        Networks of a bag, each trained without one of as many folds of the samples and validated on it; predictions are
        their means, and `predict_interval` of the regressor has intervals. None or 1 is a single network.
    categorical_features : 'from_dtype', None, mask, or sequence of str or int, default='from_dtype'
        Columns that are categories although they are numbers, by name, position or a mask. Text, truth values and the
        categorical types of frames always are.
    validation_fraction : float, default=0.2
        Share of the samples (of each class) that is held out to find the best epoch; 0 keeps the last epoch. Fewer than 20
        samples are all trained on.
"""

_MORE_PARAMETERS = """
    random_state : int, RandomState, Generator or None, default=None
        Source of all random numbers. The same seed gives the same model, bit for bit, at any number of threads.
    verbose : bool, default=False
        Whether to print the metrics of each epoch.
    callbacks : callable, sequence of callables or None, default=None
        Called after every epoch with a dict of its metrics. Training ends when one returns True.
    n_jobs : int or None, default=None
        Threads, as in `MLPClassifier`. The result does not depend on it.
"""

_NOTES = """
    X is a frame of pandas, Polars or PyArrow, a structured array, an array or list of rows, or anything with the Arrow
    interface, such as a result of DuckDB: raw columns of numbers, text, truth values and dates, with gaps. The type of a
    column decides what it is. Text is read as in a CSV file of the program: the usual spellings of gaps (``NA``, ``?`` and so
    on) are gaps, and text that holds dates alone becomes dates. What each column becomes is learned from the training part,
    belongs to the model and its file, and is shown in ``column_kinds_``: numbers are scaled robustly, categories become flags
    or embeddings, dates their year, month, day of the week and so on; constant columns and text that looks like an
    identifier are not used.

    For predictions columns are matched by name: their order does not matter, a missing one is an error, others are ignored
    with a warning. A category that training did not see counts as a gap; a gap may appear in any column. Values of another
    type are converted where that is exact, such as numbers written as text. Rows of `fit` without a target are left out
    with a warning.
"""


def _documented(cls):
    if cls.__doc__ is not None:  # python -OO
        for mark, text in (("{parameters}", _PARAMETERS), ("{more}", _MORE_PARAMETERS), ("{notes}", _NOTES)):
            cls.__doc__ = cls.__doc__.replace(mark, text.strip())
    return cls


@_documented
class TabularClassifier(BaseTabular, BaseClassifier):
    """Classifier for tables of raw columns: text, gaps and dates as they are.

    A dense network by the recipe of RealMLP (Holzmueller et al. 2024, arXiv 2407.04491), the program's preset ``tabular``.

    Parameters
    ----------
    {parameters}
    class_weight : dict, 'balanced' or None, default=None
        Weights of the classes in the loss.
    {more}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_, feature_names_in_ : int, ndarray of str
        The number of columns, and their names if X was a frame.
    column_kinds_ : dict
        For each column its kind and what becomes of it.
    n_iter_, best_epoch_ : int
        The number of epochs, and the epoch (from 0) that the weights come from.
    history_ : dict of list
        All metrics of all epochs.
    feature_importances_ : ndarray of shape (n_features_in_,)
        Permutation importances of the columns, computed when they are first asked for, on samples that were held out.

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from gradus import TabularClassifier
    >>> rows = [["red", 1.5], ["blue", None], ["red", 2.0], ["blue", 0.5]] * 10
    >>> model = TabularClassifier(epochs=20, random_state=0).fit(rows, ["warm", "cold", "warm", "cold"] * 10)
    >>> model.predict([["red", None], ["green", 0.4]]).shape
    (2,)
    """

    def __init__(
        self,
        preset: Literal["tabular", "tabular-small", "tabular-quick"] = "tabular",
        *,
        epochs: int | None = None,
        members: int | None = None,
        categorical_features: Any = "from_dtype",
        validation_fraction: float = 0.2,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: bool = False,
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
    ) -> TabularClassifier:
        """Train on rows and their labels.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            Raw columns.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels; rows without one (None or NaN) are left out with a warning. With several columns, 1 where a sample
            has a label, else 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.
        validation_data : tuple (X, y), default=None
            Evaluated after every epoch, in place of the samples that would be held out.

        Returns
        -------
        self : TabularClassifier
        """
        return self._fit(X, y, sample_weight, validation_data)


@_documented
class TabularRegressor(BaseTabular, BaseRegressor):
    """Regressor for tables of raw columns: text, gaps and dates as they are.

    A dense network by the recipe of RealMLP (Holzmueller et al. 2024, arXiv 2407.04491), the program's preset ``tabular``.

    Parameters
    ----------
    {parameters}
    loss : str, default='squared_error'
        What training minimizes, as in `MLPRegressor`: 'squared_error', 'poisson', 'huber', 'huber:DELTA', 'absolute_error'
        or 'quantile:LEVELS'.
    {more}

    Attributes
    ----------
    n_features_in_, feature_names_in_ : int, ndarray of str
        The number of columns, and their names if X was a frame.
    column_kinds_ : dict
        For each column its kind and what becomes of it.
    n_iter_, best_epoch_ : int
        The number of epochs, and the epoch (from 0) that the weights come from.
    history_ : dict of list
        All metrics of all epochs.
    feature_importances_ : ndarray of shape (n_features_in_,)
        Permutation importances of the columns, computed when they are first asked for, on samples that were held out.

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from gradus import TabularRegressor
    >>> rows = [["red", 1.5], ["blue", None], ["red", 2.0], ["blue", 0.5]] * 10
    >>> model = TabularRegressor(epochs=20, random_state=0).fit(rows, [3.0, 1.0, 4.0, 1.5] * 10)
    >>> model.predict([["red", None]]).shape
    (1,)
    """

    def __init__(
        self,
        preset: Literal["tabular", "tabular-small", "tabular-quick"] = "tabular",
        *,
        loss: str = "squared_error",
        epochs: int | None = None,
        members: int | None = None,
        categorical_features: Any = "from_dtype",
        validation_fraction: float = 0.2,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: bool = False,
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
    ) -> TabularRegressor:
        """Train on rows and their targets.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            Raw columns.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; rows without one (None or NaN) are left out with a warning.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss.
        validation_data : tuple (X, y), default=None
            Evaluated after every epoch, in place of the samples that would be held out.

        Returns
        -------
        self : TabularRegressor
        """
        return self._fit(X, y, sample_weight, validation_data)

    def _own_settings(self):
        loss = _settings.loss_of(self)
        # A network for counts learns logarithms, which are on a scale of their own.
        return {"loss": loss, "standardize_targets": False} if self.loss == "poisson" else {"loss": loss}
