"""From an estimator's parameters to the texts of a run's settings.

The core's table (`SETTINGS`) has the name, the parameter, the kind and the check of every setting. A parameter
whose meaning is that of its setting needs nothing here; below are only those that scikit-learn defines
otherwise.
"""

import numbers
from typing import NamedTuple

import numpy as np

from gradus import _core

SETTINGS = _core.settings()
BY_PARAMETER = {setting.parameter: setting for setting in SETTINGS}

# Other names of activations (scikit-learn's and Keras's), and gradus's.
_ACTIVATIONS = {"logistic": "sigmoid", "swish": "silu"}

# The losses of a regressor.
_LOSSES = ("squared_error", "squared", "poisson", "huber", "absolute_error", "absolute", "quantile")

# What the values of each kind of setting are in Python; a text may also be given as a sequence of its parts.
_TYPES = {
    "number": numbers.Real,
    "whole": numbers.Integral,
    "flag": (bool, np.bool_),
    "name": str,
    "text": (str, numbers.Real),
}


class Run(NamedTuple):
    """What a run's settings depend on besides the parameters."""

    samples: int
    seed: int
    # One epoch at a constant learning rate.
    partial: bool
    # One factor for each class, or a name for all.
    class_weights: str | list[float]
    early_stopping: bool
    # The share of the samples that is held out for validation.
    validation: float
    # The sum of the samples' weights.
    weight: float
    # Samples that were seen in the runs that this one continues.
    seen: int
    # The training losses of those that a partial run continues.
    losses: list[float]
    # Whether there are validation data, held out or given.
    validates: bool
    # What is learned: classes, several labels or values.
    task: str


def texts(estimator, run):
    """Return the texts of the settings of a run, by the names of the settings.

    A parameter that is None leaves its setting off, or at the solver's usual value.
    """
    found = {}
    for setting in SETTINGS:
        if not setting.is_used_by(estimator.solver):
            # As in scikit-learn, whose defaults are constants of several solvers.
            continue
        if setting.task not in (None, estimator._task):
            continue
        own = _OF_SETTINGS.get(setting.name) or _OWN.get(setting.parameter)
        value = getattr(estimator, setting.parameter, None) if own is None else own(estimator, run)
        if value is not None:
            found[setting.name] = text(setting.parameter, value)
    if run.partial:
        # The rate of the one epoch is known.
        found.update(schedule="constant", warm_up="0", epochs="1")
        found.update(weight_decay_schedule="constant", dropout_schedule="constant")
    return found


def text(parameter, value):
    """Return the text of a parameter's value, once the core can read it.

    Ranges are checked by the core when it has all settings: some depend on others.
    """
    setting = BY_PARAMETER[parameter]
    parts = [value] if isinstance(value, (str, numbers.Number, np.bool_)) else _parts(value)
    written = ",".join(_written(part) for part in parts) if parts else "none"
    if all(isinstance(part, _TYPES[setting.kind]) for part in parts):
        problem = setting.problem(written)
    else:
        problem = f"must be {_expected(setting)}"
    if problem is None:
        return written
    separator = ", but " if problem.startswith("must be") else ": "
    raise ValueError(f"{parameter} is {value!r}{separator}{problem}")


def _parts(value):
    try:
        return list(value)
    except TypeError:
        return [value]


def _written(part):
    if isinstance(part, (bool, np.bool_)):
        return str(bool(part)).lower()
    if isinstance(part, numbers.Integral):
        return str(int(part))
    if isinstance(part, numbers.Real):
        return repr(float(part))
    return str(part)


def _expected(setting):
    """Return what a value must be, in Python's words."""
    if setting.kind == "flag":
        return "True or False"
    return setting.expected.replace("or none", "or None")


# Parameters that scikit-learn defines otherwise than the table, each with the value of its setting.


def _momentum(estimator, run):
    if estimator.momentum is None and estimator.solver == "sgd":
        return 0.9
    return estimator.momentum


def _nesterovs_momentum(estimator, run):
    if estimator.solver == "sgd" and estimator.nesterovs_momentum in (None, True):
        # Without momentum there is nothing to look ahead along.
        return estimator.momentum != 0
    return estimator.nesterovs_momentum


def makes_steps(estimator):
    """Return whether the solver makes a step after each batch; the other one, lbfgs, takes all samples at once."""
    return estimator.solver != "lbfgs"


def rate_rule(estimator):
    """Return which of scikit-learn's rules changes the learning rate; only the solver 'sgd' has them."""
    rule = estimator.learning_rate
    if not isinstance(rule, str) or rule not in _RULES:
        raise ValueError(f"learning_rate is {rule!r}, but must be one of {', '.join(_RULES)}")
    if estimator.solver != "sgd" or rule == "constant":
        return "constant"
    if estimator.schedule != "constant":
        raise ValueError(
            f"learning_rate={rule!r} and schedule={estimator.schedule!r} both change the learning rate: leave one out"
        )
    return rule


_RULES = ("constant", "invscaling", "adaptive")


def _schedule(estimator, run):
    rule = rate_rule(estimator)
    if rule == "invscaling":
        return f"inverse-scaling:{_power_t(estimator)!r}"
    if rule == "adaptive":
        waited, tol = rounds(estimator.n_iter_no_change), number("tol", estimator.tol)
        # A rate that is never divided is constant.
        return "constant" if waited is None else f"adaptive:{waited}:{tol!r}"
    return estimator.schedule


def _power_t(estimator):
    power = number("power_t", estimator.power_t)
    if power < 0:
        raise ValueError(f"power_t is {estimator.power_t!r}, but must be at least 0")
    return power


def _learning_rate_init(estimator, run):
    if run.partial and rate_rule(estimator) != "constant":
        return next_rate(estimator, run.seen, run.losses)
    return estimator.learning_rate_init


def next_rate(estimator, seen, values):
    """Return the learning rate after ``seen`` samples, with these losses (or scores with the opposite sign)."""
    rate = number("learning_rate_init", estimator.learning_rate_init)
    rule = rate_rule(estimator)
    if rule == "invscaling":
        return rate / (seen + 1) ** _power_t(estimator) if seen > 0 else rate
    if rule == "adaptive":
        patience = rounds(estimator.n_iter_no_change)
        best, waited = np.inf, 0
        for value in values:
            waited = 0 if best - value >= estimator.tol else waited + 1
            best = min(best, value)
            if patience is not None and waited > patience:
                if rate <= 1e-6:
                    break
                rate, waited = rate / 5.0, 0
    return rate


def _batch_size(estimator, run):
    if not makes_steps(estimator):
        # As in scikit-learn, it does not use the parameter.
        return "full"
    value = estimator.batch_size
    if isinstance(value, str):
        if value not in ("auto", "full"):
            raise ValueError(f"batch_size is {value!r}, but must be 'auto', 'full' or a whole number")
        return min(200, run.samples) if value == "auto" else value
    return min(whole("batch_size", value, least=1), run.samples)


def _alpha(estimator, run):
    # scikit-learn divides the penalty by the samples of the batch, as it does the loss.
    batch = _batch_size(estimator, run)
    if not makes_steps(estimator):
        return number("alpha", estimator.alpha) / (run.weight or 1.0)
    divisor = round(run.samples * (1.0 - run.validation)) if batch == "full" else batch
    return number("alpha", estimator.alpha) / divisor


def _init(estimator, run):
    # Arrays take the place of what is drawn.
    return estimator.init if isinstance(estimator.init, str) else "auto"


def _n_iter_no_change(estimator, run):
    if not run.early_stopping:
        return None
    # An adaptive rate ends the run itself.
    waited = None if rate_rule(estimator) == "adaptive" else rounds(estimator.n_iter_no_change)
    # A run that never gives up still returns to its best epoch.
    return 2**53 if waited is None else waited + 1


def _monitor(estimator, run):
    if estimator.monitor is None and run.early_stopping:
        return estimator._validation_score
    if estimator.monitor is None and rate_rule(estimator) == "adaptive":
        return "loss"
    return estimator.monitor


def loss_of(estimator, run=None):
    """Return the regressor's loss; None for the usual one, as in files of earlier versions."""
    loss = estimator.loss
    if not isinstance(loss, str):
        raise ValueError(
            f"loss is {loss!r}, but must be a name such as 'squared_error': it is the regressor's first parameter, as in "
            "scikit-learn; give hidden_layer_sizes by name"
        )
    if loss.partition(":")[0] not in _LOSSES or BY_PARAMETER["loss"].problem(loss) is not None:
        raise ValueError(
            f"loss is {loss!r}, but must be 'squared_error', 'poisson', 'huber', 'huber:DELTA' (such as 'huber:1.5'), "
            "'absolute_error' or 'quantile:LEVELS' (above 0, below 1 and ascending, such as 'quantile:0.1,0.5,0.9')"
        )
    return None if loss in ("squared", "squared_error") else loss


# Settings that share a parameter with another one.
_OF_SETTINGS = {
    "tolerance": lambda estimator, run: number("tol", estimator.tol),
}

_OWN = {
    "loss": loss_of,
    "schedule": _schedule,
    "learning_rate_init": _learning_rate_init,
    "momentum": _momentum,
    "nesterovs_momentum": _nesterovs_momentum,
    "batch_size": _batch_size,
    "alpha": _alpha,
    "activation": lambda estimator, run: _known_activations(estimator.activation),
    "hidden_layer_sizes": lambda estimator, run: hidden_layers(estimator.hidden_layer_sizes),
    "init": _init,
    # What every run does is not written.
    "shuffle": lambda estimator, run: None if truth("shuffle", estimator.shuffle) else False,
    "n_iter_no_change": _n_iter_no_change,
    "tol": lambda estimator, run: number("tol", estimator.tol) if run.early_stopping else None,
    "monitor": _monitor,
    "validation_fraction": lambda estimator, run: run.validation,
    "class_weight": lambda estimator, run: run.class_weights,
    "distort": lambda estimator, run: estimator.distort or None,
    "random_state": lambda estimator, run: run.seed,
    "n_jobs": lambda estimator, run: threads(estimator.n_jobs),
}


def hidden_layers(sizes):
    """Return ``hidden_layer_sizes`` as a list of int."""
    return [whole("hidden_layer_sizes", size, least=1) for size in _parts(sizes)]


def activations(value):
    """Return the core's names of activations: one for all hidden layers, or one for each."""
    return text("activation", _known_activations(value)).split(",")


def _known_activations(value):
    """Return the activations without other programs' names."""
    if isinstance(value, str):
        return _ACTIVATIONS.get(value, value)
    return [_ACTIVATIONS.get(it, it) if isinstance(it, str) else it for it in _parts(value)]


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


# Checks of arguments that are no settings of a run.


def whole(name, value, least=0, none=False):
    """Return a whole number of at least ``least``."""
    if none and value is None:
        return None
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}, but must be a whole number of at least {least}")
    return int(value)


def rounds(n_iter_no_change):
    """Return the number of epochs without progress after which training ends; None for never.

    scikit-learn's infinity means never, too.
    """
    if isinstance(n_iter_no_change, numbers.Real) and n_iter_no_change == np.inf:
        return None
    return whole("n_iter_no_change", n_iter_no_change, none=True)


def number(name, value):
    """Return a finite number."""
    if not isinstance(value, numbers.Real) or not np.isfinite(value):
        raise ValueError(f"{name} is {value!r}, but must be a finite number")
    return float(value)


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
