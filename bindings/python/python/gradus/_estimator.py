"""The interface that scikit-learn's tools expect of an estimator, without scikit-learn."""

import functools
import operator
import reprlib

from gradus import _settings
from gradus._routing import Routed

# Earlier names of parameters: they are understood, and never shown. An earlier name of a setting may be what
# its parameter is called.
_RENAMED = {
    name: setting.parameter
    for setting in _settings.SETTINGS
    for name in setting.older
    if name not in _settings.BY_PARAMETER
}


def current_names(parameters):
    """Return a dict of parameters with today's names."""
    return {_RENAMED.get(name, name): value for name, value in parameters.items()}


class Estimator(Routed):
    """Base of all estimators: parameters and representation.

    All parameters are arguments of ``__init__``, which only stores them.
    """

    _estimator_type = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        init = cls.__dict__.get("__init__")
        if init is None:
            return

        # Tools read its signature, which is still that of ``init``.
        @functools.wraps(init)
        def with_earlier_names(self, *args, **parameters):
            init(self, *args, **current_names(parameters))

        cls.__init__ = with_earlier_names

    def __setstate__(self, state):
        # A pickle of an earlier version does not have the parameters that came later.
        self.__dict__.update({**self._parameters(), **current_names(state)})

    @classmethod
    def _parameters(cls):
        """Return the parameters and their default values."""
        return _parameters_of(cls)

    def _keep(self, arguments):
        """Set the parameters to those of ``arguments``, the ``locals()`` of ``__init__``."""
        # `complete` sets those that this ``__init__`` does not name.
        for name in self._parameters():
            if name in arguments:
                setattr(self, name, arguments[name])

    def get_params(self, deep=True):
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            For compatibility with scikit-learn: no parameter is an estimator with parameters.

        Returns
        -------
        params : dict
        """
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : object
        """
        known, params = self._parameters(), current_names(params)
        for name in params:
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for {type(self).__name__}. Valid parameters are: "
                    f"{', '.join(known)}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self):
        changed = [
            f"{name}={_shown(getattr(self, name))}"
            for name, default in self._parameters().items()
            if not _same(getattr(self, name), default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self):
        return "_model" in self.__dict__


for _old, _name in _RENAMED.items():
    setattr(Estimator, _old, property(operator.attrgetter(_name)))


class _Shown(reprlib.Repr):
    """Shows arrays by their shape and long sequences by their beginning."""

    def __init__(self):
        super().__init__()
        self.maxlevel = 2
        self.maxtuple = self.maxlist = 20
        self.maxdict = self.maxstring = self.maxlong = self.maxother = 200

    def repr_ndarray(self, array, level):
        return f"<array of shape {array.shape}>"


_shown = _Shown().repr


def parameters_of(cls):
    """Return the parameters in the signature of a class, and their default values."""
    import inspect

    arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return {argument.name: argument.default for argument in arguments}


_parameters_of = functools.cache(parameters_of)


def _same(value, default):
    if value is default:
        return True
    return type(value) is type(default) and not hasattr(value, "__array__") and value == default
