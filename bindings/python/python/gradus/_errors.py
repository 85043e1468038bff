"""Exceptions and warnings: scikit-learn's own if it is installed, otherwise gradus's."""


class NotFittedError(ValueError, AttributeError):
    """Raised when a method needs a trained model, but the model is not trained.

    If scikit-learn is installed, the exception is also an instance of scikit-learn's class of this name.
    """


def not_fitted(estimator):
    """Return the exception for an estimator that was not trained."""
    name = type(estimator).__name__
    return _not_fitted_class()(
        f"this {name} is not trained yet: call fit (or partial_fit, or {name}.load) first"
    )


def _not_fitted_class():
    if "SklearnNotFittedError" in globals():
        return globals()["SklearnNotFittedError"]
    try:
        from sklearn.exceptions import NotFittedError as Theirs
    except ImportError:
        return NotFittedError
    both = type("SklearnNotFittedError", (NotFittedError, Theirs), {"__module__": __name__})
    # Pickle looks it up by its name.
    globals()["SklearnNotFittedError"] = both
    return both


def __getattr__(name):
    if name == "SklearnNotFittedError":
        return _not_fitted_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ConvergenceWarning(UserWarning):
    """Training ended before its loss had settled.

    Where scikit-learn is installed, the warning is of scikit-learn's class of that name.
    """


def convergence_warning():
    """Return scikit-learn's ConvergenceWarning, else gradus's."""
    return _their_warning("ConvergenceWarning", ConvergenceWarning)


def conversion_warning():
    """Return scikit-learn's DataConversionWarning, else UserWarning."""
    return _their_warning("DataConversionWarning")


def metric_warning():
    """Return scikit-learn's UndefinedMetricWarning, else UserWarning."""
    return _their_warning("UndefinedMetricWarning")


def _their_warning(name, own=UserWarning):
    try:
        from sklearn import exceptions
    except ImportError:
        return own
    return getattr(exceptions, name)
