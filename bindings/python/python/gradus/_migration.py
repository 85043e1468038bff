"""Fitted models of scikit-learn as gradus's, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradus import _core, _initial, _settings
from gradus._classifier import MLPClassifier
from gradus._regressor import MLPRegressor

if TYPE_CHECKING:
    from gradus._mlp import BaseMLP

# scikit-learn's activations, and gradus's names of them.
_ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}

_SOLVERS = ("lbfgs", "sgd", "adam")

# What the activation of the outputs says about the loss that they were trained with.
_LOSSES = {"softmax": "cross-entropy", "logistic": "binary-cross-entropy", "identity": "squared", "exp": "poisson"}


def from_sklearn(estimator: Any) -> MLPClassifier | MLPRegressor:
    """Return a fitted MLPClassifier or MLPRegressor of scikit-learn as an estimator of gradus.

    It predicts what the original predicts, in single precision, and can be saved, exported and trained further
    (with a new state of the solver). Parameters of the same name have the same values. A classifier of two classes has
    two outputs in place of one: half of the logit, and its negative.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
        Any fitted object with the attributes ``coefs_``, ``intercepts_``, ``out_activation_``, ``activation`` and, for a
        classifier, ``classes_``.

    Returns
    -------
    estimator : MLPClassifier or MLPRegressor

    Raises
    ------
    ValueError
        If the object is not fitted, or has outputs that gradus does not have.

    Examples
    --------
    >>> from sklearn.neural_network import MLPClassifier  # doctest: +SKIP
    >>> model = gradus.from_sklearn(MLPClassifier().fit(X, y))  # doctest: +SKIP
    >>> model.save("model.safetensors")  # doctest: +SKIP
    """
    for name in ("coefs_", "intercepts_", "out_activation_", "activation"):
        if not hasattr(estimator, name):
            raise ValueError(
                f"{type(estimator).__name__} has no {name}: expected a fitted MLPClassifier or MLPRegressor of "
                "scikit-learn"
            )
    if estimator.activation not in _ACTIVATIONS:
        raise ValueError(
            f"activation is {estimator.activation!r}, but must be one of {', '.join(_ACTIVATIONS)}"
        )
    weights, biases = ([np.asarray(it) for it in values] for values in (estimator.coefs_, estimator.intercepts_))
    sizes = [weights[0].shape[0], *(weight.shape[1] for weight in weights)]
    activation, classes = estimator.out_activation_, getattr(estimator, "classes_", None)
    if classes is None:
        target, names = MLPRegressor, _names(sizes[-1])
    else:
        target, classes = MLPClassifier, np.asarray(classes)
        names = [str(label) for label in classes.tolist()]
        if len(classes) == 2 and sizes[-1] == 1:
            # softmax(-z/2, z/2) is (1 - p, p) with the p = sigmoid(z) of the single output.
            weights[-1], biases[-1] = (np.concatenate([-it / 2, it / 2], axis=-1) for it in (weights[-1], biases[-1]))
            sizes[-1] = 2
            activation = "softmax"
    loss = _LOSSES.get(activation)
    if loss is None or len(names) != sizes[-1] or ("cross-entropy" in loss) == (classes is None):
        raise ValueError(
            f"{type(estimator).__name__} has {sizes[-1]} outputs with the activation {activation!r}, "
            "which gradus does not have"
        )
    parameters = _initial.joined(weights, biases, sizes)
    features = getattr(estimator, "feature_names_in_", None)
    activations = [_ACTIVATIONS[estimator.activation]] * (len(sizes) - 2)
    model = _core.Model.of_parameters(
        loss, sizes, activations, parameters, names, None if features is None else list(features)
    )
    known = target._parameters()
    given = {name: value for name, value in estimator.get_params(deep=False).items() if name in known}
    given["hidden_layer_sizes"] = tuple(sizes[1:-1])
    ours = target(**given)
    history = {"loss": [float(loss) for loss in getattr(estimator, "loss_curve_", [])]}
    if getattr(estimator, "validation_scores_", None):
        history[target._validation_score] = [float(score) for score in estimator.validation_scores_]
    training = {"epochs": int(estimator.n_iter_), "history": history, "outcome": "finished"}
    ours._take_loaded(model, training, _described(estimator, classes), features)
    ours._precision = np.float32 if estimator.coefs_[0].dtype == np.float32 else np.float64
    return ours


def to_sklearn(estimator: BaseMLP) -> Any:
    """Return a fitted estimator of gradus as one of scikit-learn, which must be installed.

    It predicts what the original predicts, up to rounding: normalization becomes part of the first layer. Parameters of
    the same name have the same values. Further training starts with a new state of the solver.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A fitted estimator whose hidden layers all have the same activation: identity, logistic (sigmoid), tanh or relu.

    Returns
    -------
    estimator : sklearn.neural_network.MLPClassifier or MLPRegressor

    Raises
    ------
    ValueError
        If the network has an activation, or strengths of activations, that scikit-learn does not have.
    NotFittedError
        Before the model is trained.
    """
    from sklearn import neural_network
    from sklearn.preprocessing import LabelBinarizer

    model = estimator._fitted()
    activation = _their_activation(model.activations)
    if model.parametric:
        raise ValueError("the activations have trained strengths (parametric), which scikit-learn's do not")
    weights = [it.astype(np.float64) for it in model.weights()]
    biases = [it.astype(np.float64) for it in model.biases()]
    # x W + b with x = (raw - mean) / deviation.
    means, deviations = (np.asarray(it, dtype=np.float64).reshape(-1, 1) for it in model.normalization())
    weights[0] = weights[0] / deviations
    biases[0] = biases[0] - (means * weights[0]).sum(axis=0)
    classifier = isinstance(estimator, MLPClassifier)
    out_activation = estimator.out_activation_
    if not classifier:
        kind, _, levels = model.loss.partition(":")
        if kind == "quantile" and "," in levels:
            raise ValueError(f"the network predicts several quantiles ({levels}), which scikit-learn's do not")
    several = classifier and out_activation == "logistic"
    if classifier and len(estimator.classes_) == 2 and not several:
        # p = softmax(z0, z1)[1] is the sigmoid of z1 - z0.
        weights[-1], biases[-1] = (it[..., 1:] - it[..., :1] for it in (weights[-1], biases[-1]))
        out_activation = "logistic"
    make = neural_network.MLPClassifier if classifier else neural_network.MLPRegressor
    known = make().get_params()
    given = {
        name: value
        for name, value in estimator.get_params().items()
        if name in known and value is not None
    }
    given.update(activation=activation, hidden_layer_sizes=tuple(model.hidden))
    if not classifier:
        given["loss"] = "poisson" if out_activation == "exp" else "squared_error"
    if given.get("solver") not in _SOLVERS:
        given["solver"] = "adam"
    if given.get("batch_size") == "full":
        given["batch_size"] = "auto"
    theirs = make(**given)
    theirs.coefs_, theirs.intercepts_ = weights, biases
    theirs.n_features_in_ = estimator.n_features_in_
    if "feature_names_in_" in estimator.__dict__:
        theirs.feature_names_in_ = estimator.feature_names_in_
    theirs.n_layers_, theirs.n_outputs_ = len(weights) + 1, weights[-1].shape[1]
    theirs.out_activation_ = out_activation
    theirs.n_iter_, theirs.t_ = estimator.n_iter_, estimator.t_
    theirs.loss_, theirs.loss_curve_ = estimator.loss_, list(estimator.loss_curve_)
    theirs.best_loss_ = estimator.best_loss_
    theirs.validation_scores_ = estimator.validation_scores_
    theirs.best_validation_score_ = estimator.best_validation_score_
    theirs._no_improvement_count = 0
    if classifier:
        theirs.classes_ = estimator.classes_
        # Of several labels it knows only their number.
        known = np.eye(len(estimator.classes_), dtype=int) if several else estimator.classes_
        theirs._label_binarizer = LabelBinarizer().fit(known)
    return theirs


def _described(estimator, classes):
    """Return what a model file of gradus would say about the estimator."""
    found = {"samples_seen": int(getattr(estimator, "t_", 0))}
    if classes is not None:
        found["classes"] = {"dtype": classes.dtype.str, "values": classes.tolist()}
    return found


def _names(outputs):
    return ["y"] if outputs == 1 else [f"y{at}" for at in range(outputs)]


def _their_activation(activations):
    """Return scikit-learn's name of the activation of all hidden layers."""
    theirs = {ours: name for name, ours in _ACTIVATIONS.items()}
    found = set(activations) or {"identity"}
    if len(found) > 1 or not found <= set(theirs):
        raise ValueError(
            f"the hidden layers have the activations {', '.join(activations)}, but scikit-learn has one for all of "
            f"them: {', '.join(_ACTIVATIONS)}"
        )
    return theirs[found.pop()]
