"""Estimators as model files, and back."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import numpy as np

from gradus import _core, _settings
from gradus._estimator import Estimator, current_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import TypeVar

    Self = TypeVar("Self", bound="Savable")


class Savable(Estimator):
    """An estimator that can be written to a model file and read from one.

    A subclass defines what it predicts (``_task``) and what a file contains about its targets
    (``_targets_to_json``, ``_targets_from_json``).
    """

    _task: str
    # Another task of the same estimator.
    _other_task: str | None = None

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model file, which `gradus predict` and `load` read.

        It contains everything that prediction needs and how the model was trained, but not the
        optimizer's state: to continue training with that state, pickle the estimator.

        Parameters
        ----------
        path : str or path-like
            Must end in ``.safetensors``; an existing file is replaced.
        """
        model = self._fitted()
        history = finite_or_none(self.history_)
        training = json.loads(model.training) or {}
        if "_config" in self.__dict__:
            # From a pickle of an earlier version, which has the settings outside of the model.
            training["config"] = json.loads(_core.current_settings(self._config or "{}"))
            training["config"].pop("threads", None)
        training.update(
            gradus=_core.version(),
            epochs=self.n_iter_,
            outcome=self.outcome_,
            # In the form of the program, for `gradus report`; the times are below.
            history={key: values for key, values in history.items() if key != "seconds"},
            python={
                "estimator": type(self).__name__,
                "parameters": _plain(self.get_params()),
                "seconds": history.get("seconds"),
                "samples_seen": self.t_,
                "best_epoch": self.best_epoch_,
                **self._targets_to_json(),
            },
        )
        model.save(path, json.dumps(training))

    def to_onnx(self, path: str | PathLike[str] | None = None, *, uint8: bool = False) -> bytes | None:
        """Return the model as ONNX, or write it to a file.

        The graph takes raw values and contains all that happens to them. For a model of numbers it has one
        input, ``input``: samples in their own shape, such as ``(N, 8)``, or ``(N, 28, 28)`` for images. For a
        model of raw columns it has an input of shape ``(N, 1)`` for each column that the model uses: numbers
        as float64 (NaN is a gap), text as strings (an empty one is a gap), dates as int64, seconds since 1970.
        The outputs of a classifier are ``label``, which is the index of the class in ``classes_``, or for raw
        columns its name, and ``probabilities``. The output of a regressor is ``values``.

        Parameters
        ----------
        path : str or path-like, default=None
            Must end in ``.onnx``; an existing file is replaced.
        uint8 : bool, default=False
            Whether the graph takes bytes instead of float32: for images.

        Returns
        -------
        model : bytes or None
            None if it was written to a file.
        """
        uint8 = _settings.truth("uint8", uint8)
        if path is None:
            return self._fitted().to_onnx(uint8)
        return self._fitted().save_onnx(path, uint8)

    @classmethod
    def load(
        cls: type[Self],
        path: str | PathLike[str],
        *,
        activation: str | Sequence[str] | None = None,
        normalization: tuple[float, float] | None = None,
        class_names: Sequence[object] | None = None,
    ) -> Self:
        """Read a model file of gradus, or a dense network of another program.

        Model files are written by `save` and by the program `gradus`. Supported files of other programs
        are ONNX (also of scikit-learn), Keras (``.keras``, ``.weights.h5``, ``.h5``), PyTorch (``.pt``,
        ``.pth``, TorchScript, ``.safetensors``) and ``.npz``. Nothing in a file is executed. Files of bare
        weights do not contain the activations: give them, or ReLU is assumed with a warning.

        Parameters
        ----------
        path : str or path-like
        activation : str or sequence of str, default=None
            For bare weights: the activation of all hidden layers, or one for each.
        normalization : tuple (mean, std), default=None
            For bare weights: they were trained on ``(x - mean) / std``.
        class_names : sequence, default=None
            For classifiers of other programs whose file does not name the classes: their names in the order of
            the outputs. ``classes_`` has them, as integers if all are; by default 0, 1, 2, ...

        Returns
        -------
        estimator : object
            Its predictions are those of the saved model.
        """
        activations = [] if activation is None else _settings.activations(activation)
        if normalization is not None:
            mean, std = normalization
            normalization = _settings.number("mean", mean), _settings.number("std", std)
            if normalization[1] <= 0.0:
                raise ValueError(f"normalization is {normalization}: the std must be above 0")
        if isinstance(class_names, str):
            raise ValueError(f"class_names is {class_names!r}: expected a sequence of names, one per class")
        names = [] if class_names is None else [str(name) for name in class_names]
        if class_names is not None and not names:
            raise ValueError("class_names is empty: expected one name per class")
        model, warned = _core.Model.load(path, activations, normalization, names)
        for warning in warned:
            warnings.warn(warning, stacklevel=2)
        if model.task not in (cls._task, cls._other_task):
            raise ValueError(
                f"{path}: this is a {model.task} model, but {cls.__name__} loads {cls._task} models"
            )
        training = json.loads(model.training) or {}
        ours = training.get("python") or {}
        known, config = cls._parameters(), training.get("config", {})
        given = ours.get("parameters") or {
            "hidden_layer_sizes": tuple(model.hidden),
            "activation": _in_short(model.activations),
            "normalization": config.get("normalize", "none"),
            "standardize_targets": config.get("standardize_targets", False),
            "clip_predictions": config.get("clip_predictions", False),
            "loss": "squared_error" if model.loss == "squared" else model.loss,
        }
        estimator = cls(**{name: value for name, value in current_names(given).items() if name in known})
        for name in ("hidden_layer_sizes", "activation"):
            # JSON has lists in place of tuples.
            if isinstance(getattr(estimator, name, None), list):
                setattr(estimator, name, tuple(getattr(estimator, name)))
        # Earlier versions kept the names among their own entries.
        names = model.feature_names or ours.get("feature_names")
        estimator._take_loaded(model, training, ours, np.array(names, dtype=object) if names else None)
        return estimator

    def _take_loaded(self, model, training, ours, names):
        run = _Loaded()
        run.model = model
        run.history = _numbers(training.get("history") or {})
        if ours.get("seconds"):
            run.history.update(_numbers({"seconds": ours["seconds"]}))
        run.outcome = training.get("outcome")
        run.best_epoch = ours.get("best_epoch", training.get("best_epoch"))
        run.samples = ours.get("samples_seen", 0)
        targets = self._targets_from_json(model, ours)
        self._take(run, _settings.seed(self.random_state), targets, names, keep=False)
        self.n_iter_ = training.get("epochs", self.n_iter_)


class _Loaded:
    """The run that a model file comes from, as far as the file contains it."""

    state = None


def _in_short(activations):
    """Returns the activations of the hidden layers as a parameter: one name if all are the same."""
    names = set(activations)
    return tuple(activations) if len(names) > 1 else next(iter(names), "relu")


def finite_or_none(history):
    """Returns the metrics with None for NaN and infinity, which JSON cannot represent."""
    return {
        key: [value if np.isfinite(value) else None for value in values]
        for key, values in history.items()
    }


def _numbers(history):
    """Returns the metrics with NaN for None, the reverse of `finite_or_none`."""
    return {
        key: [float("nan") if value is None else value for value in values]
        for key, values in history.items()
    }


def _plain(parameters):
    """Returns the parameters that can be written to a file."""
    plain = {}
    for name, value in parameters.items():
        if name == "init" and not isinstance(value, str):
            # The arrays are as large as the model itself.
            continue
        if isinstance(value, np.generic):
            value = value.item()
        try:
            json.dumps(value)
        except TypeError:
            continue
        plain[name] = value
    return plain
