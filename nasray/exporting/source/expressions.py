"""Python expressions as trees, and their layout in lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType

from torch import nn

LINE_LENGTH = 110


@dataclass(frozen=True, slots=True)
class Call:
    """A call, or a list, tuple or dict.

    Attributes:
        maker: What is called: a class, a function, or a name; "" for a list, tuple or dict.
        arguments: Each with what stands before it, such as "bias=", or nothing.
        brackets: The opening and the closing one.
    """

    maker: "type | FunctionType | str"
    arguments: "Arguments"
    brackets: str = "()"


Expression = str | Call | type | FunctionType
"""A text, a call, or a class or function as it is."""

Arguments = tuple[tuple[str, Expression], ...]


def layout(expression: Expression, indent: int = 0, taken: int = 0) -> str:
    """The expression's text: on one line where it fits, else with a line for each argument.

    Args:
        expression: What to write.
        indent: Spaces before the line that the expression begins in.
        taken: Characters of that line before and behind the expression.
    """
    if not isinstance(expression, Call):
        return name_of(expression)
    opening, closing = name_of(expression.maker) + expression.brackets[0], expression.brackets[1]
    texts = [before + layout(argument) for before, argument in expression.arguments]
    is_single_tuple = opening == "(" and len(texts) == 1
    line = f"{opening}{', '.join(texts)}{',' if is_single_tuple else ''}{closing}"
    if not texts or ("\n" not in line and indent + taken + len(line) <= LINE_LENGTH):
        return line
    inner = indent + 4
    rows = [
        f"{' ' * inner}{before}{layout(argument, inner, len(before) + 1)},\n"
        for before, argument in expression.arguments
    ]
    return f"{opening}\n{''.join(rows)}{' ' * indent}{closing}"


def name_of(maker: type | FunctionType | str) -> str:
    """What a class or function is called in a file that has imported it by name, or `nn` from torch."""
    if isinstance(maker, str):
        return maker
    return f"nn.{maker.__name__}" if is_torch_layer(maker) else maker.__name__


def is_torch_layer(maker: type | FunctionType) -> bool:
    """Whether `torch.nn` has it."""
    return getattr(nn, maker.__name__, None) is maker


def makers(expression: Expression) -> Iterator[type | FunctionType]:
    """The classes and functions that an expression names."""
    if isinstance(expression, Call):
        for _, argument in expression.arguments:
            yield from makers(argument)
        expression = expression.maker
    if not isinstance(expression, str):
        yield expression
