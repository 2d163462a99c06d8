"""Tables of functions and classes by name, cut down to the entries that a network uses."""

import ast
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from torch import nn

from nasray.exporting.source.recording import Recording


def without_unused(
    name: str, statement: ast.stmt, module: ModuleType, source: str, recording: Recording
) -> str:
    """The text of a statement; of a dict, without the functions that never ran and the modules that never were.

    Args:
        name: What the statement defines.
        statement: A statement at the top of the module.
        module: The module, imported.
        source: Its text.
        recording: What ran.
    """
    text, display, table = text_of(statement, source), getattr(statement, "value", None), vars(module)[name]
    if not isinstance(display, ast.Dict) or type(table) is not dict:
        return text
    used = []
    for key, value in zip(display.keys, display.values, strict=True):
        names = _evaluate(value, module) if key is None else [_evaluate(key, module)]
        before = "**" if key is None else f"{text_of(key, source)}: "
        if any(_is_used(table[one], recording) for one in names):
            used.append(f"    {before}{text_of(value, source)},\n")
    if len(used) == len(display.values):
        return text
    head = text.removesuffix(text_of(display, source))
    return f"{head}{{\n{''.join(used)}}}" if used else f"{head}{{}}"


def text_of(node: ast.stmt | ast.expr, source: str) -> str:
    """The text of a node, with the decorators of a definition."""
    decorators = getattr(node, "decorator_list", [])
    if decorators:
        return "\n".join(source.splitlines()[decorators[0].lineno - 1 : node.end_lineno])
    text = ast.get_source_segment(source, node)
    assert text is not None
    return text


def _evaluate(node: ast.expr, module: ModuleType) -> Any:
    """The value of an expression in its module, which was evaluated there before."""
    return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))


def _is_used(value: Any, recording: Recording) -> bool:
    """Whether an entry of a table took part; plain values always do."""
    match value:
        case partial():
            return _is_used(value.func, recording)
        case FunctionType():
            return value.__code__ in recording.executed
        case type() if issubclass(value, nn.Module):
            return any(type(module) is value for module in recording.network.modules())
    return True
