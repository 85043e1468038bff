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

    A subclass says what it predicts (``_task``) and what a file holds of its targets
    (``_targets_to_json``, ``_targets_from_json``).
    """

    _task: str

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model file, which `gradus predict` and `load` read.

        It holds what is needed to predict and how the model was trained, but not the optimizer's
        state: training goes on from a pickled estimator, not from a model file.

        Parameters
        ----------
        path : str or path-like
            Must end in ``.safetensors``; a file that is there is replaced.
        """
        model = self._fitted()
        history = finite_or_none(self.history_)
        training = json.loads(model.training) or {}
        if self._config is not None:
            training["config"] = {
                key: value for key, value in json.loads(self._config).items() if key != "threads"
            }
            if not isinstance(self.init, str):
                training["config"]["init"] = "arrays"
        training.update(
            gradus=_core.version(),
            epochs=self.n_iter_,
            outcome=self.outcome_,
            # As the program writes it, for `gradus report`: times stand elsewhere.
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

        The graph takes raw samples of their own shape, ``(N, 28, 28)`` for images: the normalisation is
        in it. A classifier's outputs are ``label``, the index of the class in ``classes_``, and
        ``probabilities``; those of a regressor are ``values``.

        Parameters
        ----------
        path : str or path-like, default=None
            Must end in ``.onnx``; a file that is there is replaced.
        uint8 : bool, default=False
            Whether the graph takes bytes in place of float32.

        Returns
        -------
        model : bytes or None
            None where it was written to a file.
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
    ) -> Self:
        """Read a model file, written by `save` or by the program, or a dense network of others.

        Of others are read ONNX, Keras 3 (``.keras``, ``.weights.h5``), PyTorch's ``.safetensors`` and
        ``.npz``. Files of bare weights do not say what the layers are joined by: that is assumed with a
        warning, or given.

        Parameters
        ----------
        path : str or path-like
        activation : str or sequence of str, default=None
            Of bare weights: the activation of all hidden layers, or one for each.
        normalization : tuple (mean, deviation), default=None
            Of bare weights: what they were trained on is ``(x - mean) / deviation``.

        Returns
        -------
        estimator : object
            It predicts what the saved one predicts.
        """
        activations = [] if activation is None else _settings.activations(activation)
        if normalization is not None:
            mean, deviation = normalization
            normalization = _settings.number("mean", mean), _settings.number("deviation", deviation)
            if normalization[1] <= 0.0:
                raise ValueError(f"normalization is {normalization}: the deviation must be above 0")
        model, notices = _core.Model.load(path, activations, normalization)
        for notice in notices:
            warnings.warn(notice, stacklevel=2)
        if model.task != cls._task:
            raise ValueError(
                f"{path}: this is a {model.task} model, but {cls.__name__} loads {cls._task} models"
            )
        training = json.loads(model.training) or {}
        ours = training.get("python") or {}
        known, config = cls._parameters(), training.get("config", {})
        given = ours.get("parameters") or {
            "hidden_layer_sizes": tuple(model.hidden),
            "activation": _in_short(model.activations),
            # The program's name for it; earlier versions wrote the parameter's.
            "normalization": config.get("normalize", config.get("normalization", "none")),
            "standardize_targets": config.get("standardize_targets", False),
        }
        estimator = cls(**{name: value for name, value in current_names(given).items() if name in known})
        for name in ("hidden_layer_sizes", "activation"):
            # JSON knows no tuples.
            if isinstance(getattr(estimator, name), list):
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
        self._take(run, (_settings.seed(self.random_state), None), targets, names, keep=False)
        self.n_iter_ = training.get("epochs", self.n_iter_)


class _Loaded:
    """Stands for the run that a model file comes from."""

    state = None


def _in_short(activations):
    """Returns the activations of the hidden layers as a parameter: one name where all are the same."""
    names = set(activations)
    return tuple(activations) if len(names) > 1 else next(iter(names), "relu")


def finite_or_none(history):
    """Returns the figures with null for those that JSON cannot write."""
    return {
        key: [value if np.isfinite(value) else None for value in values]
        for key, values in history.items()
    }


def _numbers(history):
    """Returns the figures with NaN for null, as `finite_or_none` had them."""
    return {
        key: [float("nan") if value is None else value for value in values]
        for key, values in history.items()
    }


def _plain(parameters):
    """Returns the parameters that a file can hold."""
    plain = {}
    for name, value in parameters.items():
        if name == "init" and not isinstance(value, str):
            # As large as the model itself.
            continue
        if isinstance(value, np.generic):
            value = value.item()
        try:
            json.dumps(value)
        except TypeError:
            continue
        plain[name] = value
    return plain
