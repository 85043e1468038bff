"""The parameters of the estimators: which there are, and how they are documented.

In: the signature of a class, and the core's table of settings. Out: the class with a parameter for every setting
that its signature does not name, and with the documentation of all parameters. A setting is described by the
help of the table, unless its parameter means more in Python: then `_OWN` has the words.
"""

import functools

from gradus import _settings
from gradus._estimator import parameters_of

# Type, without the default value, and description of each parameter that the table does not describe.
_OWN = {
    "hidden_layer_sizes": (
        "int or sequence of int",
        "Units of each hidden layer; ``()`` for a network without hidden layers.",
    ),
    "activation": (
        "str or sequence of str",
        "Activation function of the hidden layers: 'identity', 'relu', 'leaky_relu' (slope 0.01; "
        "'leaky_relu:0.1' has another), 'tanh', 'sigmoid' ('logistic' is the same), 'gelu', 'elu' (alpha 1; "
        "'elu:0.5' has another), 'selu', 'silu' ('swish' is the same) or 'mish'. A sequence names one for each hidden layer.",
    ),
    "loss": (
        "str",
        "What training minimizes: 'squared_error' (half of it); 'poisson', half the Poisson deviance, for counts and other "
        "targets from 0, whose predictions are exponentials of the outputs; 'huber' (delta 1) or 'huber:DELTA', in the "
        "units of y; 'absolute_error', for medians; 'quantile' (0.5) or 'quantile:0.1,0.5,0.9', the pinball loss of "
        "these quantiles: one output for each target and quantile.",
    ),
    "output_weights": (
        "sequence of float or None",
        "Weights of the targets in the loss, one for each: the loss of a sample is their weighted mean. None weighs all "
        "the same.",
    ),
    "alpha": (
        "float",
        "L2 penalty. As in scikit-learn, it is divided by the number of samples in a batch: "
        "``alpha / batch_size * weights`` is added to the gradient of the mean loss.",
    ),
    "batch_size": (
        "int, 'auto' or 'full'",
        "Samples per step, at most all of them, shuffled in every epoch; 'auto' is "
        "``min(200, n_samples)``. 'full' uses all samples in every step, in their own order, as 'lbfgs' always does.",
    ),
    "solver": (
        "{'adam', 'sgd', 'lbfgs', 'adamw', 'rmsprop', 'lion', 'muon'}",
        "How the weights follow their gradients. 'lbfgs' is a quasi-Newton method for small data: each epoch is an "
        "iteration over all samples with a line search, without a learning rate; it has no `partial_fit`. A solver "
        "ignores scikit-learn's parameters for others.",
    ),
    "learning_rate": (
        "{'constant', 'invscaling', 'adaptive'}",
        "scikit-learn's rules for the learning rate of 'sgd'. 'invscaling' divides ``learning_rate_init`` by "
        "``(t + 1) ** power_t``, where t is the number of samples seen in all calls; as there, each `fit` begins with "
        "``learning_rate_init``. 'adaptive' divides the rate by 5 each time it has made no progress for more than "
        "``n_iter_no_change`` epochs, and ends training once the rate is at most 1e-6. Cannot be combined with "
        "``schedule``.",
    ),
    "power_t": ("float", "The exponent of ``learning_rate='invscaling'``."),
    "shuffle": (
        "bool",
        "Whether the samples are shuffled in every epoch; otherwise batches take them in the order of X.",
    ),
    "max_fun": (
        "int",
        "The run ends after the epoch in which 'lbfgs' has made more evaluations of loss and gradient than this, in "
        "all.",
    ),
    "schedule": (
        "str",
        "Schedule of the learning rate over ``max_iter`` epochs: 'constant', 'cosine', 'one-cycle', 'coslog4', 'flat-cosine', "
        "'step:EPOCHS:FACTOR', 'plateau:PATIENCE:FACTOR', 'inverse-scaling:POWER' or 'adaptive:PATIENCE:MIN_DELTA'. "
        "`partial_fit` always uses ``learning_rate_init``, or what ``learning_rate`` makes of it.",
    ),
    "max_iter": ("int", "Maximum number of epochs (passes over the samples)."),
    "random_state": (
        "int, RandomState, Generator or None",
        "Source of all random numbers. None draws a seed from ``numpy.random``.",
    ),
    "tol": (
        "float",
        "Smallest improvement over the best epoch so far that counts as progress. 'lbfgs' ends when no component of "
        "the gradient is larger in absolute value.",
    ),
    "n_iter_no_change": (
        "int, infinity or None",
        "Training ends after more than this many epochs in a row without progress: in the training loss, "
        "or with ``early_stopping`` in the monitored metric. None and ``numpy.inf`` mean never; only with None "
        "there is no ConvergenceWarning after ``max_iter`` epochs.",
    ),
    "verbose": (
        "bool",
        "Whether to print the metrics of each epoch, in lines such as ``Iteration 1, loss = 0.51234567``; "
        "the first epoch is number 1, as in scikit-learn.",
    ),
    "warm_start": (
        "bool",
        "Whether `fit` continues from the previous call, with its weights and the solver's state. "
        "Layers, solver, ``batch_norm`` and ``ema_decay`` must then be unchanged, and so must the classes.",
    ),
    "momentum": (
        "float",
        "Momentum coefficient of 'sgd' (0.9), 'rmsprop' (0) and 'muon' (0.95). None is the value in "
        "parentheses.",
    ),
    "nesterovs_momentum": (
        "bool",
        "Whether to use Nesterov momentum, for 'sgd' and 'muon'; True by default.",
    ),
    "beta_1": (
        "float",
        "Decay rate of the gradient average, for 'adam', 'adamw', 'lion' and 'muon'; 0.9 by default.",
    ),
    "beta_2": (
        "float",
        "Decay rate of the squared-gradient average, for 'adam', 'adamw' and 'muon' (0.999) and 'rmsprop' "
        "(0.99), or of the gradient average, for 'lion' (0.99).",
    ),
    "epsilon": (
        "float",
        "Added to the denominator of the update for numerical stability, for 'adam', 'adamw', 'rmsprop' "
        "and 'muon'; 1e-8 by default.",
    ),
    "weight_decay": (
        "float",
        "The solver's own weight decay: decoupled for 'adamw' and 'muon' (0.01) and 'lion' (0), an L2 "
        "penalty for the others (0). Unlike ``alpha`` it is not divided by the batch size.",
    ),
    "early_stopping": (
        "bool",
        "Whether to evaluate validation data after each epoch, stop when they show no more progress, and "
        "return to the weights of the best epoch. The data are the ``validation_data`` of `fit`, or a "
        "fraction of the samples that is held out.",
    ),
    "validation_fraction": (
        "float",
        "Fraction of the samples that ``early_stopping`` holds out, shuffled; for a classifier also "
        "stratified.",
    ),
    "monitor": (
        "{'loss', 'accuracy', 'val_loss', 'val_accuracy', 'val_r2'} or None",
        "Metric that ``early_stopping``, ``keep_best`` and the plateau schedule watch: a classifier has an accuracy, a regressor R^2. "
        "With ``early_stopping``, None is 'val_accuracy' for a classifier and 'val_r2' for a regressor; otherwise it is "
        "'val_loss' with validation data, and 'loss' without.",
    ),
    "normalization": (
        "{'none', 'unit', 'standard', 'robust'}",
        "Input normalization, fitted on the training samples and part of the model. 'unit' divides bytes "
        "by 255 and scales each feature of floats to [0, 1]; 'standard' subtracts the mean and divides by "
        "the standard deviation, per feature (for byte images over all pixels); 'robust' subtracts the median, divides by "
        "the distance between the quartiles and clips smoothly to (-3, 3), per feature.",
    ),
    "standardize_targets": (
        "bool",
        "Whether to learn y with mean 0 and standard deviation 1, per output and weighted by ``sample_weight``. "
        "``predict``, ``coefs_`` and losses are in the units of y either way; penalties and clipping act on the "
        "standardized network.",
    ),
    "clip_predictions": (
        "bool",
        "Whether `predict` stays in the range of y in training and validation, per output: rows unlike all others get no "
        "prediction that no target ever was. ``coefs_`` are those of the network before its predictions are clipped.",
    ),
    "init": (
        "str or sequence of array-like",
        "Initial weights: 'sklearn' as scikit-learn draws them (Glorot, also the biases), 'auto' (He before ReLU, "
        "leaky ReLU, GELU, ELU, SiLU and Mish, otherwise Glorot), 'he', 'glorot' or 'normal:STD' (a standard deviation); with all "
        "of these but 'sklearn', biases are 0. 'ntk' and 'tabular', normal weights and biases, are for "
        "``parametrization='ntk'``. "
        "Or the arrays themselves, ``[w1, b1, w2, b2, ...]``: weights are inputs x outputs, biases of "
        "shape (n,), (n, 1) or (1, n). Training that continues from an earlier call keeps its weights.",
    ),
    "distort": (
        "str or None",
        "Distorts the images differently in every epoch: 'standard', 'strong', or some of "
        "'shift:2,rotate:10,scale:0.1,shear:0.1,elastic:36:6'. Samples must be bytes of shape (height, "
        "width).",
    ),
    "class_weight": (
        "dict, 'balanced' or None",
        "Weights of the classes in the loss.",
    ),
    "columns": (
        "None, 'infer' or dict",
        "None takes numbers. 'infer' takes raw columns of frames and other tables: numbers, text, truth values and dates, "
        "with gaps; their types decide what becomes of them (`TabularClassifier` describes it). A dict such as "
        "``{'zip': 'category'}`` gives some columns, by name or position, another kind: 'number', 'category' or 'date'.",
    ),
    "callbacks": (
        "callable, sequence of callables or None",
        "Called after every epoch with a dict of its metrics: 'epoch' (from 0), 'loss', 'learning_rate', "
        "'seconds'; with validation data 'val_loss'; for a classifier also 'accuracy' and "
        "'val_accuracy', for a regressor 'val_r2'. Training ends when one returns True.",
    ),
    "n_jobs": (
        "int or None",
        "Threads; -1 for one per core, -2 for all cores but one. None is one per core, too, but a single one if steps are very "
        "small, and at most ``OMP_NUM_THREADS``, which joblib sets in its processes. The result does not depend on it.",
    ),
}

_TYPES = {"number": "float", "whole": "int", "flag": "bool", "text": "str"}


def complete(cls):
    """Give a class the parameters that its ``__init__`` does not name, and document all of them.

    The docstring of the class has a line ``{parameters}`` in their place.
    """
    known = parameters_of(cls)
    more = {
        setting.parameter: _default(setting)
        for setting in _settings.SETTINGS
        if setting.parameter not in known and setting.task in (None, cls._task)
    }
    if more:
        cls.__init__ = _with_parameters(cls.__init__, more)
    entries = [_entry(name, default) for name, default in {**known, **more}.items()]
    if cls.__doc__ is not None:  # python -OO
        cls.__doc__ = cls.__doc__.replace("{parameters}", "\n    ".join(entries))
    return cls


def _with_parameters(init, more):
    """Return ``init`` with more keyword-only parameters, which become attributes."""
    import inspect

    @functools.wraps(init)
    def with_parameters(self, *args, **given):
        values = {name: given.pop(name, default) for name, default in more.items()}
        init(self, *args, **given)
        self.__dict__.update(values)

    signature = inspect.signature(init)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in more.items()
    ]
    with_parameters.__signature__ = signature.replace(
        parameters=[*signature.parameters.values(), *added]
    )
    return with_parameters


def _default(setting):
    """Return the value with which a setting does nothing."""
    off = setting.off
    if off is None or off == "none":
        return None
    read = {"number": float, "whole": int, "flag": "true".__eq__}.get(setting.kind, str)
    return read(off)


# Both estimators have most parameters, and importing the package should not take long.
@functools.cache
def _entry(name, default):
    """Return the documentation of a parameter in numpydoc's form, indented for a class."""
    kind, words = _OWN.get(name) or _from_table(_settings.BY_PARAMETER[name], default)
    lines = [f"{name} : {kind}, default={default!r}", "       "]
    for word in words.split():
        if len(lines[-1]) + len(word) > 100:
            lines.append("       ")
        lines[-1] += " " + word
    return "\n".join(lines)


def _from_table(setting, default):
    kind = _TYPES.get(setting.kind) or f"{{{', '.join(map(repr, setting.choices))}}}"
    none = " or None" if default is None else ""
    return kind + none, setting.help.split(" [default")[0] + "."
