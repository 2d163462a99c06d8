"""Objects that a config names as "module:attribute": a user's own space, operation, data or teacher."""

import importlib
import inspect
import operator
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from nasray.errors import UserError
from nasray.search_spaces.names.suggestion import did_you_mean

_NASRAY = str(Path(__file__).parents[2]) + os.sep


def load_attribute(path: str) -> Any:
    """The object that `path`, written "module:attribute", names.

    Modules beside the user's config count too: the current directory is made importable.

    Raises:
        UserError: If `path` has another form, or its module cannot be imported or lacks the attribute.
    """
    module_name, colon, attribute = path.partition(":")
    if not (module_name and colon and attribute):
        raise UserError(f'a Python object is written "module:attribute", got {path!r}')
    module = _import(module_name, path)
    try:
        return operator.attrgetter(attribute)(module)
    except AttributeError as error:
        hint = did_you_mean(attribute, vars(module))
        raise UserError(f"{path!r}: module {module_name} must define {attribute!r}{hint}") from error


def call_named(path: str, *arguments: Any) -> Any:
    """What the function that `path`, written "module:attribute", names gives for the arguments.

    Raises:
        UserError: Like `load_attribute`; or it is no function, one of other arguments, or fails.
    """
    function = load_attribute(path)
    if not callable(function):
        raise UserError(f"{path} must be a function, got {type(function).__name__}")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        given = ", ".join(map(str, arguments)) or "nothing"
        raise UserError(f"{path} must be a function that can be called with {given}: {error}") from None
    except ValueError:  # some of C's have no signature that Python knows
        pass
    try:
        return function(*arguments)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} failed: {type(error).__name__}: {error} ({place_of(error)})") from error


def _import(name: str, path: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise UserError(f"{path!r}: no module {name!r} is installed or lies in {here}") from error
        raise UserError(f"{path!r}: importing {name} failed: {type(error).__name__}: {error}") from error


def place_of(error: BaseException) -> str:
    """File and line of the innermost code that an error came through, of the user's own wherever there is such."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "site-packages" not in frame.filename and not frame.filename.startswith(_NASRAY)
    ]
    innermost = (own or frames)[-1]
    return f"{innermost.filename}, line {innermost.lineno}"
