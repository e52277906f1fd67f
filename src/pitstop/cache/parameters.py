"""The parameters of a cached function, and the values that a call gives them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Parameters"]

_MISSING: Any = object()
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Parameters:
    """A signature made ready for fast binding.

    Attributes:
        names: of all parameters, in their order.
        index: where each stands.
        by_name: where those stand that can be given by name.
        in_class: defined in a class body, so that the first parameter is ``self`` or ``cls``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        parameters = list(self.signature.parameters.values())
        self.names = tuple(parameter.name for parameter in parameters)
        self.index = {name: index for index, name in enumerate(self.names)}
        owner = function.__qualname__.rpartition(".")[0]
        self.in_class = bool(parameters) and owner != "" and not owner.endswith("<locals>")
        positional = sum(parameter.kind in _POSITIONAL for parameter in parameters)
        self._simple = all(parameter.kind in {*_POSITIONAL, *_BY_NAME} for parameter in parameters)
        self._positional = positional if self._simple else -1
        self._exact = positional if positional == len(parameters) else -1
        self.by_name = {p.name: self.index[p.name] for p in parameters if p.kind in _BY_NAME}
        self._defaults = [_MISSING if p.default is p.empty else p.default for p in parameters]

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        """The value of each parameter, defaults resolved; ``*args`` as a tuple and ``**kwargs`` as a dict.

        Raises:
            TypeError: the call does not fit the signature, as Python itself would say.
        """
        if len(args) == self._exact and not kwargs:
            return args
        if len(args) > self._positional:
            return self._slowly(args, kwargs)
        values = [*args, *self._defaults[len(args) :]]
        for name, value in kwargs.items():
            index = self.by_name.get(name, -1)
            if index < len(args):  # unknown, or given twice
                return self._slowly(args, kwargs)
            values[index] = value
        for value in values:
            if value is _MISSING:
                return self._slowly(args, kwargs)
        return values

    def _slowly(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return tuple(bound.arguments.values())
