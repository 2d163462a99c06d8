"""The expressions that make a recorded network's modules again."""

import inspect
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FunctionType, NoneType
from typing import Any

from torch import nn

from nasray.errors import UserError
from nasray.exporting.source.expressions import Arguments, Call, Expression
from nasray.exporting.source.recording import Creation, Recording

_PLAIN = (bool, int, float, str, NoneType)

Special = Mapping[type | FunctionType, Callable[[Creation], Call]]
"""The expressions of what some makers made, where these are not calls of theirs."""


class UnwritableError(UserError):
    """No expression is known for a value."""


class Construction:
    """Writes a recorded network's modules as the calls that made them.

    Args:
        recording: How the network came about.
        special: Makers whose calls are written otherwise.
    """

    def __init__(self, recording: Recording, special: Special) -> None:
        self._creations, self._special = recording.creations, special

    def expression(self, value: Any) -> Expression:
        """The expression that makes `value` again.

        Raises:
            UnwritableError: There is none.
        """
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, list | tuple):
            return Call("", self._items(value), "[]" if isinstance(value, list) else "()")
        if isinstance(value, dict):
            return Call("", tuple((f"{key!r}: ", self.expression(item)) for key, item in value.items()), "{}")
        if isinstance(value, partial):
            return Call(partial, self._items((value.func, *value.args)) + self._named(value.keywords))
        if isinstance(value, type | FunctionType) and _is_named(value):
            return value
        if type(value) in _PLAIN and (type(value) is not float or math.isfinite(value)):
            return literal(value)
        raise UnwritableError(f"{value!r:.60} ({type(value).__name__})")

    def _module(self, module: nn.Module) -> Expression:
        """The outermost call that can be written; it says most in one line."""
        reason = "a copy of another"
        for creation in reversed(self._creations.get(module, [])):
            if creation.maker in self._special:
                return self._special[creation.maker](creation)
            if creation.maker in (nn.Sequential, nn.ModuleList):
                return self._container(module)
            try:
                return self._call(creation)
            except UnwritableError as error:
                reason = str(error)
        raise UnwritableError(f"{type(module).__name__}, made from {reason}")

    def _call(self, creation: Creation) -> Call:
        """The call as it was made, without the arguments that are the defaults."""
        parameters = inspect.signature(creation.maker).parameters.values()
        given = creation.arguments
        spread = any(p.kind is p.VAR_POSITIONAL and given[p.name] for p in parameters)
        positional: list[tuple[str, Expression]] = []
        named: list[tuple[str, Expression]] = []
        for parameter in parameters:
            name, value = parameter.name, given[parameter.name]
            has_place = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += self._items(value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                named += self._named(value)
            elif has_place and spread:
                positional.append(("", self.expression(value)))
            elif _is_default(value, parameter.default):
                continue
            elif has_place and not named and not _needs_name(parameter, value):
                positional.append(("", self.expression(value)))
            else:
                named.append((f"{name}=", self.expression(value)))
        return Call(creation.maker, (*positional, *named))

    def _container(self, container: nn.Module) -> Call:
        """A Sequential or ModuleList by what it holds now, whatever it was made from."""
        children = dict(container.named_children())
        items = self._items(children.values())
        if isinstance(container, nn.ModuleList):
            return Call(nn.ModuleList, (("", Call("", items, "[]")),) if items else ())
        if list(children) == [str(position) for position in range(len(children))]:
            return Call(nn.Sequential, items)
        if not all(map(str.isidentifier, children)):
            raise UnwritableError(f"parts named {', '.join(children)}")
        return Call(nn.Sequential, (("", Call(OrderedDict, self._named(children))),))

    def _items(self, values: Iterable[Any]) -> Arguments:
        return tuple(("", self.expression(value)) for value in values)

    def _named(self, values: Mapping[str, Any]) -> Arguments:
        return tuple((f"{name}=", self.expression(value)) for name, value in values.items())


def literal(value: Any) -> str:
    """The text of a plain value, strings in double quotes where these need no escape."""
    text = repr(value)
    return f'"{text[1:-1]}"' if isinstance(value, str) and '"' not in text else text


def _is_named(value: type | FunctionType) -> bool:
    """Whether its module has it under its own name."""
    return getattr(sys.modules.get(value.__module__), value.__name__, None) is value


def _needs_name(parameter: inspect.Parameter, value: Any) -> bool:
    """Whether an argument is better given by name: few can tell what a False stands for."""
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return False
    return parameter.default is not parameter.empty or type(value) in (bool, float, NoneType)


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and type(value) in _PLAIN and value == default)
