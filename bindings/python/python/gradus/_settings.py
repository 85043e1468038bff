"""From an estimator's parameters to the settings of a run, as JSON for the core."""

import json
import math
import numbers

import numpy as np

from gradus import _core

# scikit-learn's name of an activation, and gradus's.
_ACTIVATIONS = {"logistic": "sigmoid"}

# Parameters that belong to a solver, and the names of the core's constants.
_CONSTANTS = {
    "momentum": ("momentum",),
    "nesterovs_momentum": ("nesterov",),
    "beta_1": ("beta1",),
    "beta_2": ("beta2", "decay"),
    "epsilon": ("epsilon",),
    "weight_decay": ("weight_decay",),
}


def config(estimator, samples, *, seed, partial, class_weights, validation, early_stopping):
    """Return the settings of a run on so many samples, as JSON.

    A partial run is one epoch at a constant learning rate.
    """
    schedule = _parsed("schedule", estimator.schedule)
    warm_up = number("warm_up", estimator.warm_up)
    epochs = whole("max_iter", estimator.max_iter, least=1)
    if partial:
        schedule, warm_up, epochs = "constant", 0.0, 1
    batch = batch_size(estimator.batch_size, samples)
    # scikit-learn divides the penalty by the samples of the batch, as it does the loss.
    divisor = round(samples * (1.0 - validation)) if batch == "full" else batch
    monitor = estimator.monitor
    if monitor is None and early_stopping:
        monitor = estimator._usual_monitor
    settings = {
        "hidden": hidden_layers(estimator.hidden_layer_sizes),
        "activation": activations(estimator.activation),
        # Arrays take the place of what is drawn.
        "init": _parsed("init", estimator.init) if isinstance(estimator.init, str) else "auto",
        "normalization": choice("normalization", estimator.normalization),
        **_target_settings(estimator),
        "epochs": epochs,
        "batch_size": batch if batch == "full" else {"samples": batch},
        "optimizer": optimizer(estimator),
        "learning_rate": number("learning_rate_init", estimator.learning_rate_init),
        "schedule": schedule,
        "warm_up": warm_up,
        "validation": validation,
        "regularization": {
            "dropout": number("dropout", estimator.dropout),
            "input_dropout": number("input_dropout", estimator.input_dropout),
            "noise": number("noise", estimator.noise),
            "input_noise": number("input_noise", estimator.input_noise),
            "batch_norm": truth("batch_norm", estimator.batch_norm),
            "label_smoothing": number("label_smoothing", getattr(estimator, "label_smoothing", 0.0)),
            "mixup": number("mixup", estimator.mixup),
            "l1": number("l1", estimator.l1),
            "l2": number("alpha", estimator.alpha) / divisor,
            "max_norm": limit("max_norm", estimator.max_norm),
            "clip_norm": limit("clip_norm", estimator.clip_norm),
            "clip_value": limit("clip_value", estimator.clip_value),
            "ema_decay": number("ema_decay", estimator.ema_decay, none=True),
            "class_weights": class_weights,
            "distortion": _parsed("distort", estimator.distort or "none"),
        },
        "early_stopping": early_stopping,
        "monitor": None if monitor is None else choice("monitor", monitor),
        "seed": seed,
        "threads": threads(estimator.n_jobs),
    }
    return json.dumps(settings)


def _target_settings(estimator):
    """Return the settings of regression alone; a pickle of an earlier version may lack them."""
    if estimator._task != "regression":
        return {}
    value = getattr(estimator, "standardize_targets", False)
    return {"standardize_targets": truth("standardize_targets", value)}


def with_sample_weights(config):
    """Return ``config`` for the recipe of a model whose samples were weighted."""
    settings = json.loads(config)
    settings["regularization"]["sample_weights"] = "array"
    return json.dumps(settings)


def hidden_layers(sizes):
    """Return ``hidden_layer_sizes`` as a list of int."""
    if isinstance(sizes, numbers.Integral):
        sizes = [sizes]
    return [whole("hidden_layer_sizes", size, least=1) for size in sizes]


def activations(value):
    """Return the core's names of the activations: one for all hidden layers, or one for each."""
    values = [value] if isinstance(value, str) else list(value)
    return [_parsed("activation", _ACTIVATIONS.get(it, it)) for it in values]


def batch_size(value, samples):
    """Return the number of samples in a step, or 'full'."""
    if isinstance(value, str):
        if value not in ("auto", "full"):
            raise ValueError(f"batch_size is {value!r}, but must be 'auto', 'full' or a whole number")
        return min(200, samples) if value == "auto" else value
    return min(whole("batch_size", value, least=1), samples)


def optimizer(estimator):
    """Return the solver with its constants; those that are None are its usual ones."""
    name = estimator.solver
    if name == "lbfgs":
        raise ValueError(
            "solver 'lbfgs' is not there: gradus learns from mini-batches; choose one of "
            + ", ".join(_core.choices("solver"))
        )
    constants = _parsed("solver", name)
    if name == "sgd":
        # As in scikit-learn.
        constants.update(momentum=0.9, nesterov=estimator.momentum != 0)
    for parameter, names in _CONSTANTS.items():
        value = getattr(estimator, parameter)
        if value is None:
            continue
        known = [it for it in names if it in constants]
        if not known:
            raise ValueError(f"{parameter} is {value!r}, but solver {name!r} has none: leave it None")
        check = truth if parameter == "nesterovs_momentum" else number
        constants[known[0]] = check(parameter, value)
    return constants


def threads(n_jobs):
    """Return the number of threads; None leaves it to the core.

    Negative numbers are counted from the number of cores, as in joblib: -1 is all of them, -2 all but one.
    """
    if n_jobs is None:
        return None
    if not isinstance(n_jobs, numbers.Integral) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise ValueError(
            f"n_jobs is {n_jobs!r}, but must be a whole number other than 0 (-1 for all cores), or None"
        )
    if n_jobs > 0:
        return int(n_jobs)
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores + 1 + int(n_jobs))


def seed(random_state):
    """Return a seed from what scikit-learn takes as a random state."""
    if random_state is None:
        # NumPy's own stream, which numpy.random.seed sets.
        return int(np.random.randint(0, 2**31 - 1))
    if isinstance(random_state, numbers.Integral):
        if not 0 <= random_state < 2**64:
            raise ValueError(f"random_state is {random_state}, but must be at least 0, below 2**64")
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(0, 2**63))
    raise ValueError(
        f"random_state is {random_state!r}, but must be None, a whole number, or a generator of NumPy"
    )


def whole(name, value, least=0, none=False):
    """Return a whole number of at least ``least``."""
    if none and value is None:
        return None
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}, but must be a whole number of at least {least}")
    return int(value)


def number(name, value, none=False):
    """Return a finite number."""
    if none and value is None:
        return None
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, but must be a finite number")
    return float(value)


def limit(name, value):
    """Return a number above 0, or None for no limit."""
    # For the core 0 is off, too.
    if value is not None and number(name, value) <= 0.0:
        raise ValueError(f"{name} is {value!r}, but must be above 0 and finite, or None")
    return number(name, value, none=True)


def pair(name, value):
    """Return a height and a width, whole numbers of at least 1."""
    try:
        height, width = value
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {value!r}, but must be a pair (height, width)") from error
    return whole(name, height, least=1), whole(name, width, least=1)


def truth(name, value):
    """Return a truth value."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} is {value!r}, but must be True or False")
    return bool(value)


def choice(name, value):
    """Return one of the names that the core knows for a setting."""
    known = _core.choices(name)
    if value not in known:
        raise ValueError(f"{name} is {value!r}, but must be one of {', '.join(known)}")
    return value


def _parsed(name, value):
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, but must be a text")
    return json.loads(_core.parse(name, value))
