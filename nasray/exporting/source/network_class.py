"""The class of a network whose constructor takes what no file can hold, such as a search space."""

import inspect

from torch import nn

from nasray.exporting.source.construction import Construction, UnwritableError
from nasray.exporting.source.expressions import Expression, layout

_OF_ANY_MODULE = set(vars(nn.Module()))


def attributes(network: nn.Module, construction: Construction) -> dict[str, Expression]:
    """The expressions of a network's own attributes, its parts last.

    Raises:
        UnwritableError: One of them has none, or the network has parameters or buffers outside of its parts.
    """
    if network._parameters or network._buffers:
        raise UnwritableError(f"{type(network).__name__}, which has parameters or buffers of its own")
    plain = {name: value for name, value in vars(network).items() if name not in _OF_ANY_MODULE}
    return {name: construction.expression(value) for name, value in (plain | network._modules).items()}


def class_text(network: nn.Module, its_attributes: dict[str, Expression]) -> str:
    """The source of the network's class, with a constructor that takes nothing and lists the attributes.

    Raises:
        UnwritableError: The class has no constructor of its own.
    """
    kind = type(network)
    if "__init__" not in vars(kind):
        raise UnwritableError(f"{kind.__name__}, which has no constructor of its own")
    before, after = inspect.getsource(kind).split(inspect.getsource(kind.__init__), 1)
    rows = [
        f"        self.{name} = {layout(expression, 8, len(name) + 8)}\n"
        for name, expression in its_attributes.items()
    ]
    head = "    def __init__(self) -> None:\n        super().__init__()\n"
    return (before + head + "".join(rows) + after).rstrip("\n")
