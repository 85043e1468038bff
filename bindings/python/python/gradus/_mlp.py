"""Training and prediction, for every kind of target."""

from __future__ import annotations

import json
import warnings
from types import MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradus import _columns, _core, _frames, _initial, _inputs, _kinds, _memory_maps, _settings
from gradus._errors import convergence_warning, not_fitted
from gradus._explaining import Explaining
from gradus._saving import Savable, finite_or_none
from gradus.plots import Plot, beside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray

    # Arrays, nested lists, frames of pandas and Polars, sparse matrices of SciPy.
    Samples = Any


class BaseMLP(Explaining, Savable):
    """A dense network and its training; subclasses decide what its outputs mean.

    A subclass defines the targets (``_targets``), the weights of classes (``_class_weights``), the metric
    that is its score on validation data (``_validation_score``), and its attributes after training
    (``_set_targets``).
    """

    # What early stopping watches by default, and `validation_scores_` holds.
    _validation_score: str

    hidden_layer_sizes: int | Sequence[int]
    activation: str | Sequence[str]
    solver: str
    alpha: float
    batch_size: int | Literal["auto", "full"]
    learning_rate: str
    learning_rate_init: float
    power_t: float
    schedule: str
    warm_up: float
    max_iter: int
    max_fun: int
    shuffle: bool
    random_state: int | np.random.RandomState | np.random.Generator | None
    tol: float
    n_iter_no_change: int | None
    verbose: bool
    warm_start: bool
    momentum: float | None
    nesterovs_momentum: bool | None
    beta_1: float | None
    beta_2: float | None
    epsilon: float | None
    weight_decay: float | None
    early_stopping: bool
    validation_fraction: float
    monitor: str | None
    normalization: str
    init: str | Sequence[ArrayLike]
    dropout: float
    input_dropout: float
    noise: float
    input_noise: float
    batch_norm: bool
    mixup: float
    l1: float
    max_norm: float | None
    clip_norm: float | None
    clip_value: float | None
    ema_decay: float | None
    distort: str | None
    callbacks: Callable[[dict[str, float]], Any] | Sequence[Callable] | None
    columns: str | Mapping | None
    n_jobs: int | None

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_iter_: int
    n_layers_: int
    t_: int
    loss_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float] | None
    validation_scores_: list[float] | None
    best_loss_: float | None
    best_validation_score_: float | None
    best_epoch_: int | None
    history_: dict[str, list[float]]
    outcome_: str

    def _fit(self, X, y, sample_weight, validation_data, communicator=None):
        warm = _settings.truth("warm_start", self.warm_start) and "_model" in self.__dict__
        return self._train(
            X, y, sample_weight, validation_data, go_on=warm, partial=False, communicator=communicator
        )

    def _partial_fit(self, X, y, sample_weight, **known):
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True, because it runs a single epoch: use fit, "
                "or check the score yourself"
            )
        go_on = "_model" in self.__dict__
        return self._train(X, y, sample_weight, None, go_on=go_on, partial=True, **known)

    def _train(
        self, X, y, sample_weight, validation_data, *, go_on, partial, communicator=None, **known
    ):
        from gradus import communicators

        communicator = communicators.checked(communicator)
        X = _frames.collected(X)
        names, precision = _inputs.feature_names(X), _inputs.precision(X)
        if go_on:
            X = self._in_order(X, names, stacklevel=6)
            names = self.__dict__.get("feature_names_in_", names)
        values, shape = self._first_rows(X, names) if not go_on else self._rows(X)
        if go_on:
            self._check_count(values.shape[1])
        else:
            _warn_of_index(names, stacklevel=5)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        if isinstance(values, _core.Table):
            values, y, sample_weight = _without_gaps(values, y, sample_weight, stacklevel=5)
        if go_on and not partial:
            self._check_warm_start(y, len(values))
        targets = self._targets(y, len(values), go_on=go_on, **known)
        weights = _inputs.sample_weights(sample_weight, len(values))
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, values, names, targets)
        seed = self._seed if go_on else communicators.agreed(communicator, _settings.seed(self.random_state))
        early = _settings.truth("early_stopping", self.early_stopping) and self._stops_early()
        seen = self.t_ if go_on else 0
        share = self._held_out(early, validation is not None, len(values))
        settings = self._texts(
            _settings.Run(
                samples=len(values),
                seed=seed,
                partial=partial,
                class_weights=self._class_weights(targets),
                early_stopping=early,
                validation=share,
                weight=len(values) if weights is None else float(np.sum(weights, dtype=np.float64)),
                seen=seen,
                losses=self.loss_curve_ if go_on and partial else [],
                validates=share > 0.0 or validation is not None,
                task=getattr(targets, "task", self._task),
            ),
        )
        in_file = None if go_on or partial or not self._reads_blocks() else _memory_maps.rows_in_file(X)
        run = _core.train(
            settings,
            values if in_file is None else in_file,
            targets.values,
            targets.names,
            notes=self._notes(weights),
            shape=list(shape),
            feature_names=None if names is None else list(names),
            weights=weights,
            validation=validation,
            parameters=None if go_on else self._initial(values.shape[1], len(targets.names), settings),
            model=self._model if go_on else None,
            state=self._state if go_on else None,
            patience=None if early else self._patience(),
            report=self._listener(partial and go_on),
            communicator=communicator,
            free=self._free_settings(),
        )
        # A run without a good epoch leaves the estimator as it was; what was never trained has nothing to lose by Ctrl-C.
        if run.outcome == "diverged":
            message = self._worded(f"{run.message}. The estimator is as it was before the call")
            raise run.error or ValueError(message)
        interrupted = run.error is not None and not run.history.get("loss")
        if not (interrupted and "_model" in self.__dict__):
            self._take(run, seed, targets, names, keep=partial and go_on, seen=seen)
            self._precision = precision
        if run.error is not None:
            raise run.error
        if not partial:
            self._warn(run, stacklevel=5)
        return self

    def _free_settings(self):
        """Returns the settings of a preset for tables that no parameter decides; None without a preset."""
        return None

    def _reads_blocks(self):
        """Returns whether training can read samples when it needs them, in an order of blocks."""
        if self._free_settings() is not None or self.normalization == "robust":
            return False
        return _settings.truth("shuffle", self.shuffle) and _settings.makes_steps(self)

    @property
    def _no_improvement_count(self):
        """Epochs in a row, the last one included, without progress by ``tol``, counted as scikit-learn counts them."""
        best, count = float("inf"), 0
        for value in self._watched():
            count = count + 1 if value > best - self.tol else 0
            best = min(best, value)
        return count

    def _watched(self):
        """Returns the values that show progress: losses, or validation scores with the opposite sign."""
        if self._stops_early():
            return [-score for score in self.validation_scores_ or []]
        return self.loss_curve_

    def _stops_early(self):
        """Returns whether validation data end the training; as in scikit-learn, never that of lbfgs."""
        return bool(self.early_stopping) and _settings.makes_steps(self)

    @property
    def _optimizer(self):
        """The learning rate of the next epoch, where users of scikit-learn read it."""
        if not _settings.makes_steps(self):
            raise AttributeError("the solver lbfgs has no learning rate")
        self._trained("_optimizer")
        return SimpleNamespace(learning_rate=self._next_rate())

    def _next_rate(self):
        rates = self.history_.get("learning_rate")
        if _settings.rate_rule(self) == "constant" and self.schedule != "constant" and rates:
            return rates[-1]
        return _settings.next_rate(self, self.t_, self._watched())

    def _warn(self, run, stacklevel):
        """Says why a run ended, and warns of what the user should know of it."""
        lbfgs = not _settings.makes_steps(self)
        if self.verbose and run.outcome == "no_progress":
            what = "Validation score" if self._stops_early() else "Training loss"
            reason = f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} consecutive epochs."
            if lbfgs:
                reason = f"lbfgs has converged after {self.n_iter_} iterations."
            elif _settings.rate_rule(self) == "adaptive":
                reason += " Learning rate too small."
            print(f"{reason} Stopping.", flush=True)
        for warning in run.warnings:
            warnings.warn(self._worded(warning), UserWarning, stacklevel=stacklevel)
        if run.outcome == "finished" and getattr(self, "n_iter_no_change", None) is not None:
            limit = "max_fun" if lbfgs and self.n_iter_ < self.max_iter else "max_iter"
            warnings.warn(
                f"{self.n_iter_} epochs ({limit}) were run, and the loss had not settled: the optimization has not "
                f"converged yet. Use a larger {limit}, or n_iter_no_change=None if this is the length you want",
                convergence_warning(),
                stacklevel=stacklevel,
            )

    def _worded(self, message):
        """Returns a message of the core in the words of this estimator's parameters."""
        return message

    def _initial(self, features, targets, settings):
        """Returns the weights and biases in ``init``, None if it names a distribution."""
        if isinstance(self.init, str):
            return None
        hidden = _settings.hidden_layers(self.hidden_layer_sizes)
        outputs = targets * _core.outputs_per_target(settings)
        return _initial.parameters(self.init, [features, *hidden, outputs])

    def _texts(self, run):
        """Returns the texts of the settings of a run."""
        return _settings.texts(self, run)

    def _chosen_kinds(self, names, count):
        """Returns the kinds that the user gives columns, by position; None if X holds numbers alone."""
        return _kinds.chosen(self.columns, names, count)

    def _first_rows(self, X, names):
        """Returns samples in the form that the core takes, and the shape of one, where a training begins."""
        kinds = self._chosen_kinds(names, _columns.count(X))
        if kinds is not None:
            table, shape = _columns.table(X, kinds)
            if len(table) == 1:
                raise ValueError("X has 1 sample, but what the columns of a table are is learned from several")
            return table, shape
        # Only what is normalized comes near 0 before it is rounded.
        return _inputs.rows(X, False if self.normalization == "none" else None)

    def _rows(self, X):
        """Returns samples in the form that the model takes, and the shape of one."""
        model = self._model
        if model.column_types is not None:
            if _columns.count(X) > 0:
                self._check_count(_columns.count(X))
            return _columns.table(X, types=model.column_types, missing=model.missing, date_orders=model.date_orders)
        return _inputs.rows(X, model.takes_doubles)

    def _validation(self, validation_data, values, names, targets):
        try:
            X, y = validation_data
        except (TypeError, ValueError) as error:
            raise ValueError("validation_data must be a pair (X, y)") from error
        X = _frames.collected(X)
        found = _inputs.feature_names(X)
        if names is not None and found is not None:
            X = _inputs.in_order(X, found, names, "validation_data", stacklevel=6)
        if isinstance(values, _core.Table):
            X, _ = _columns.table(X, types=values.types)
            X, y, _ = _without_gaps(X, y, None, stacklevel=6)
        else:
            doubles = isinstance(values, np.ndarray) and values.dtype == np.float64
            X, _ = _inputs.rows(X, doubles)
        if X.shape[1] != values.shape[1]:
            raise ValueError(
                f"validation_data has {X.shape[1]} features, but X has {values.shape[1]}"
            )
        dense = isinstance(X, np.ndarray) and isinstance(values, np.ndarray)
        if dense and values.dtype == np.float32:
            # Training data and validation data must have the same type.
            X = X.astype(np.float32, copy=False)
        return X, targets.encode(y, "y of validation_data", len(X))

    def _notes(self, weights):
        """Returns what a model file says in addition to the settings."""
        notes = {} if isinstance(self.init, str) else {"init": "arrays"}
        return notes if weights is None else {**notes, "sample_weights": "array"}

    def _check_warm_start(self, y, samples):
        """Checks that training can continue from an earlier fit on these targets."""

    def _held_out(self, early, given, samples):
        """Returns the share of the samples that is held out for validation; ``given`` says whether there are others."""
        if given or not early:
            return 0.0
        share = _settings.number("validation_fraction", self.validation_fraction)
        if not 0.0 < share < 1.0:
            raise ValueError(f"validation_fraction is {share}, but must be above 0 and below 1")
        # One sample has no R^2, and an accuracy of 0 or 1.
        if np.ceil(share * samples) < 2:
            raise ValueError(
                f"The validation set is too small: {share} of {samples} samples. Increase validation_fraction, "
                "or the number of samples"
            )
        return share

    def _patience(self):
        if not _settings.makes_steps(self) or _settings.rate_rule(self) == "adaptive":
            # These end by themselves.
            return None
        rounds = _settings.rounds(self.n_iter_no_change)
        return None if rounds is None else (_settings.number("tol", self.tol), rounds)

    def _listener(self, keep):
        callbacks = self.callbacks
        if callbacks is None:
            callbacks = []
        elif callable(callbacks):
            callbacks = [callbacks]
        callbacks = list(callbacks)
        for callback in callbacks:
            if not callable(callback):
                raise ValueError(f"callbacks has {callback!r}, which is not callable")
        if self.verbose:
            score = self._validation_score if self._stops_early() else None
            callbacks.insert(0, _EpochPrinter(self.n_iter_ if keep else 0, score))
        if not callbacks:
            return None
        # All of them are called, even if one wants to stop.
        return lambda report: any([_is_true(callback(dict(report))) for callback in callbacks])

    def _take(self, run, seed, targets, names, keep, seen=0):
        """Sets the attributes of a trained estimator, which had seen so many samples before."""
        history = run.history
        done = 0
        if keep:
            done = self.n_iter_
            # A model that the program saved does not contain times.
            unknown = [float("nan")] * len(self.loss_curve_)
            history = {
                key: self.history_.get(key, unknown) + values for key, values in history.items()
            }
        self._model, self._state = run.model, run.state
        self._seed = seed
        # A pickle of an earlier version has the settings here; now they are in the model.
        self.__dict__.pop("_config", None)
        self.history_ = history
        self.loss_curve_ = history.get("loss", [])
        self.validation_loss_curve_ = history.get("val_loss")
        self.validation_scores_ = history.get(self._validation_score)
        self.n_iter_ = len(self.loss_curve_)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else float("nan")
        # As in scikit-learn: early stopping does not watch the training loss.
        self.best_loss_ = None if self._stops_early() else min(self.loss_curve_, default=None)
        self.best_validation_score_ = max(self.validation_scores_ or [], default=None)
        self.best_epoch_ = None if run.best_epoch is None else done + run.best_epoch
        self.t_ = seen + run.samples
        self.outcome_ = run.outcome
        self._set_features(names)
        self._set_targets(targets)

    def _set_features(self, names):
        self.n_features_in_ = self._model.features
        self.n_layers_ = len(self._model.hidden) + 2
        if names is not None:
            self.feature_names_in_ = names
        elif "feature_names_in_" in self.__dict__:
            del self.feature_names_in_

    @property
    def coefs_(self) -> list[NDArray[np.floating]]:
        """Weights of the layers, inputs x outputs each; read-only copies, which can be replaced as a whole."""
        return self._layers(self._trained("coefs_").weights())

    @property
    def intercepts_(self) -> list[NDArray[np.floating]]:
        """Biases of the layers; read-only copies, which can be replaced as a whole."""
        return self._layers(self._trained("intercepts_").biases())

    @coefs_.setter
    def coefs_(self, weights: Sequence[ArrayLike]) -> None:
        self._set_parameters("coefs_", weights, self._trained("coefs_").biases())

    @intercepts_.setter
    def intercepts_(self, biases: Sequence[ArrayLike]) -> None:
        self._set_parameters("intercepts_", self._trained("intercepts_").weights(), biases)

    @property
    def column_kinds_(self) -> dict[Any, tuple[str, str]]:
        """For each raw column, by name or position, its kind ('number', 'category', 'date' or 'dropped') and what becomes of it."""
        columns = self._trained("column_kinds_").columns
        if columns is None:
            raise AttributeError(f"this {type(self).__name__} was trained on numbers, not on raw columns")
        names = self.__dict__.get("feature_names_in_", range(len(columns)))
        return dict(zip(names, columns, strict=True))

    def _set_parameters(self, attribute, weights, biases):
        """Replaces the weights and biases; training goes on from them with a new state of the solver."""
        model = self._model
        weights, biases, layers = list(weights), list(biases), len(model.hidden) + 1
        if not len(weights) == len(biases) == layers:
            found = len(weights if attribute == "coefs_" else biases)
            raise ValueError(f"{attribute} has {found} arrays, but the network has {layers} layers")
        sizes = [model.features, *model.hidden, len(model.names)]
        parameters = _initial.joined(weights, biases, sizes)
        self._model, self._state = model.with_parameters(parameters), None

    def _layers(self, arrays):
        """Returns parameters in the precision of the samples of `fit`; in their own if these are unknown."""
        kind = self.__dict__.get("_precision", np.float32)
        return [_read_only(array.astype(kind, copy=False)) for array in arrays]

    def plot_curves(
        self, figure: Literal["loss", "accuracy", "learning_rate"] | None = None
    ) -> Plot:
        """Draw the learning curves: the metrics in ``history_`` over the epochs.

        Loss and accuracy have a curve for training and, if there were validation data, one for
        validation. The epochs are those of the last `fit`, and of each `partial_fit` since.

        Parameters
        ----------
        figure : {'loss', 'accuracy', 'learning_rate'} or None, default=None
            The metric to draw. None draws the loss and, for a classifier, the accuracy next to it.

        Returns
        -------
        plot : Plot

        Raises
        ------
        NotFittedError
            Before the model is trained.
        ValueError
            If the history does not have the metric, or has no epochs: another program made the model, or
            the run was stopped in its first epoch.

        Examples
        --------
        >>> from gradus import MLPRegressor
        >>> model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0).fit([[0.0], [1.0]], [0.0, 2.0])
        >>> model.plot_curves("loss").save("loss.svg")  # doctest: +SKIP
        """
        self._fitted()
        if not self.loss_curve_:
            raise ValueError(
                f"this {type(self).__name__} has no history of its epochs: it was not trained by "
                "gradus, or was stopped in its first epoch"
            )
        drawn = dict(_core.plot_curves(json.dumps(finite_or_none(self.history_))))
        if figure is None:
            both = [drawn[name] for name in ("loss", "accuracy") if name in drawn]
            return Plot(beside(both, "Learning curves"))
        if figure not in drawn:
            raise ValueError(
                f"figure is {figure!r}, but must be one of {', '.join(map(repr, drawn))}, or None"
            )
        return Plot(drawn[figure])

    def plot_weights(self, shape: tuple[int, int] | None = None) -> Plot:
        """Draw the first layer's weights as images: the pattern that each unit responds to.

        The image of unit j is column j of ``coefs_[0]`` in the shape of a sample. Positive weights are
        blue and negative ones orange, all on one scale. If there are more than 64 units, those with the
        largest Euclidean norm are drawn.

        Parameters
        ----------
        shape : tuple (height, width), default=None
            Shape of a sample, in pixels. None is the shape of the samples that the model was trained on,
            if they were images of shape (n, height, width).

        Returns
        -------
        plot : Plot

        Raises
        ------
        NotFittedError
            Before the model is trained.
        ValueError
            If the shape is not known, or does not have ``n_features_in_`` pixels.

        Examples
        --------
        >>> from gradus import MLPClassifier, datasets
        >>> X, y = datasets.digits(500, seed=1)
        >>> model = MLPClassifier((16,), normalization="unit", max_iter=5, random_state=0)
        >>> model.fit(X, y).plot_weights().save("weights.svg")  # doctest: +SKIP
        >>> model.fit(X.reshape(500, 784), y).plot_weights((28, 28)).save("weights.svg")  # doctest: +SKIP
        """
        model = self._fitted()
        features = self.n_features_in_
        if shape is None:
            shape = model.sample_shape
            if len(shape) == 3 and 1 in (shape[0], shape[-1]):
                # The axis of a single channel.
                shape = shape[:2] if shape[-1] == 1 else shape[1:]
            if len(shape) != 2:
                raise ValueError(
                    f"the model was trained on rows of {features} features, not on images: give "
                    "shape=(height, width) if they are pixels, or use plot_weight_histograms"
                )
        height, width = _settings.pair("shape", shape)
        if model.column_types is not None:
            raise ValueError("the model takes raw columns, which are no pixels: use plot_weight_histograms")
        if height * width != features:
            raise ValueError(
                f"shape ({height}, {width}) has {height * width} pixels, but the model takes {features} "
                "features"
            )
        svg = _core.plot_weights(model, height, width)
        if svg is None:
            raise ValueError(
                f"weights of {features} features cannot be drawn as images: expected 2 to 1048576"
            )
        return Plot(svg)

    def plot_weight_histograms(self) -> Plot:
        """Draw a histogram of the weights of each layer.

        Counts are on a logarithmic scale. Weights more than four standard deviations from their mean are
        counted in the bars at the edges.

        Returns
        -------
        plot : Plot

        Raises
        ------
        NotFittedError
            Before the model is trained.
        """
        return Plot(_core.plot_weight_histograms(self._fitted()))

    def _trained(self, attribute):
        model = self.__dict__.get("_model")
        if model is None:
            raise AttributeError(f"{type(self).__name__} has no {attribute} before it is trained")
        return model

    def _fitted(self):
        model = self.__dict__.get("_model")
        if model is None:
            raise not_fitted(self)
        return model

    def _outputs(self, X, compute):
        """Returns ``compute(rows, threads)`` for X."""
        X = _frames.collected(X)
        X = self._in_order(X, _inputs.feature_names(X), stacklevel=5)
        values, _ = self._rows(X)
        self._check_count(values.shape[1])
        return compute(values, _settings.threads(self.n_jobs))

    def _check_count(self, features):
        if features != self.n_features_in_:
            raise ValueError(
                f"X has {features} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )

    def _in_order(self, X, names, stacklevel):
        """Returns X with the columns that the model was trained on, in their order."""
        known = self.__dict__.get("feature_names_in_")
        if known is not None and names is not None:
            return _inputs.in_order(X, names, known, stacklevel=stacklevel)
        if known is None and names is None:
            return X
        name = type(self).__name__
        if known is None:
            message = f"X has feature names, but {name} was fitted without feature names"
        else:
            message = f"X does not have valid feature names, but {name} was fitted with feature names"
        warnings.warn(message, UserWarning, stacklevel=stacklevel - 1)
        return X


class for_steps:
    """Makes a method one that an estimator has only if its solver makes a step after each batch."""

    def __init__(self, method):
        self._method = method

    def __get__(self, estimator, cls=None):
        if estimator is None:
            return self._method
        if not _settings.makes_steps(estimator):
            raise AttributeError(
                f"{self._method.__name__} is only available for solvers that train on batches: lbfgs needs all samples "
                "at once"
            )
        return MethodType(self._method, estimator)


def _is_true(answer):
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


class _EpochPrinter:
    """Prints each epoch in the form of scikit-learn's lines, with the metrics that it does not have.

    ``score`` is the metric that early stopping watches; it has a line of its own.
    """

    def __init__(self, epochs_before, score):
        self.epochs_before = epochs_before
        self.score = score

    def __call__(self, report):
        more = (
            f", {key} = {report[key]:.4f}"
            for key in ("accuracy", "val_loss", "val_accuracy", "val_r2")
            if key in report and key != self.score
        )
        number = self.epochs_before + report["epoch"] + 1
        print(f"Iteration {number}, loss = {report['loss']:.8f}{''.join(more)}", flush=True)
        if self.score in report:
            print(f"Validation score: {report[self.score]:f}", flush=True)


def _warn_of_index(names, stacklevel):
    """Warns if the first column has the name that readers of CSV files give one without a name: that of an index."""
    if names is not None and (names[0] == "" or names[0].startswith("Unnamed: ")):
        warnings.warn(
            f"column 0 ({names[0]!r}) of X has no name and looks like the index of a frame that was written to a file, which "
            "says nothing about new samples: leave it out of X, or read the file with pandas.read_csv(..., index_col=0)",
            UserWarning,
            stacklevel=stacklevel,
        )


def _without_gaps(table, y, sample_weight, stacklevel):
    """Returns the rows that have a target, their targets and their weights; a warning counts the others."""
    gaps = _inputs.missing_targets(y)
    if gaps is None or len(gaps) != len(table):
        return table, y, sample_weight
    left = np.flatnonzero(~gaps)
    if left.size == 0:
        raise ValueError("Input y contains NaN in all rows: there is nothing to learn from")
    count = len(gaps) - left.size
    rows = "row" if count == 1 else "rows"
    warnings.warn(f"{count} {rows} without a target left out", UserWarning, stacklevel=stacklevel)
    if sample_weight is not None and np.ndim(sample_weight) == 1 and len(sample_weight) == len(gaps):
        sample_weight = np.asarray(sample_weight)[left]
    return table.take(left), np.asarray(y)[left], sample_weight


def _read_only(array):
    array.flags.writeable = False
    return array
