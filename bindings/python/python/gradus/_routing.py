"""scikit-learn's metadata routing: which arguments of `fit` and others a pipeline or a search hands on.

The interface is that of scikit-learn's estimators; scikit-learn itself is imported only where it is used.
"""

import inspect

# The methods that take more than samples and targets.
_METHODS = ("fit", "partial_fit", "score")

# scikit-learn's mark of a request that stays as it was.
_UNCHANGED = "$UNCHANGED$"


class Routed:
    """Gives a subclass ``set_fit_request`` and its like, for each method that takes metadata."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for method in _METHODS:
            if method in cls.__dict__:
                setattr(cls, f"set_{method}_request", _setter(method, _metadata(cls, method)))

    def get_metadata_routing(self):
        """Return which metadata each method requests.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRequest
        """
        from sklearn.utils.metadata_routing import MetadataRequest

        if "_metadata_request" in self.__dict__:
            return self._metadata_request
        request = MetadataRequest(owner=self)
        for method in _METHODS:
            if not hasattr(type(self), method):
                continue
            for name in _metadata(type(self), method):
                getattr(request, method).add_request(param=name, alias=None)
        return request


def _metadata(cls, method):
    """Return the parameters of a method other than the samples and their targets."""
    parameters = inspect.signature(getattr(cls, method)).parameters
    return [name for name in parameters if name not in ("self", "X", "y")]


def _setter(method, names):
    """Return the method ``set_{method}_request``."""

    def set_request(self, **requests):
        import copy

        import sklearn

        if not sklearn.get_config().get("enable_metadata_routing"):
            raise RuntimeError(
                "This method is only available when metadata routing is enabled. You can enable it using "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        for name in requests:
            if name not in names:
                raise TypeError(
                    f"Unexpected args: {name!r} in {method}. Accepted arguments are: {', '.join(names)}"
                )
        routing = copy.deepcopy(self.get_metadata_routing())
        for name, alias in requests.items():
            if isinstance(alias, str) and alias == _UNCHANGED:
                continue
            getattr(routing, method).add_request(param=name, alias=alias)
        self._metadata_request = routing
        return self

    set_request.__name__ = f"set_{method}_request"
    set_request.__qualname__ = set_request.__name__
    set_request.__doc__ = f"""Set which metadata are handed on to `{method}` by scikit-learn's meta-estimators.

        It has an effect only where ``sklearn.set_config(enable_metadata_routing=True)`` is set.

        Parameters
        ----------
        {", ".join(names)} : bool, str or None
            True: requested, and handed on if given. False: not requested. None: not requested, and an error if given.
            str: requested under this name.

        Returns
        -------
        self : object
        """
    kind = inspect.Parameter.KEYWORD_ONLY
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = [inspect.Parameter(name, kind, default=_UNCHANGED) for name in names]
    set_request.__signature__ = inspect.Signature([own, *given])
    return set_request
