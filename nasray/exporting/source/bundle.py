"""Definitions out of many modules, with all that they need, as the text of one file."""

import __future__

import ast
import dis
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from nasray.errors import UserError
from nasray.exporting.source.import_lines import ImportLines
from nasray.exporting.source.lookup_table import without_unused
from nasray.exporting.source.recording import Recording

OWN_PACKAGE = "nasray"
_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
_IMPORTS = (ast.Import, ast.ImportFrom)


class BundleError(UserError):
    """A definition cannot be taken out of its module."""


class Bundle:
    """Definitions, each behind those that it needs; what installed packages define is imported.

    Args:
        recording: Tells which code runs: entries of tables that are never called are left out.
        reserved: Names that the file gives to things of its own.

    Attributes:
        imports: What the file imports.
    """

    def __init__(self, recording: Recording, reserved: Iterable[str]) -> None:
        self.imports = ImportLines()
        self._recording = recording
        self._texts: list[str] = []
        self._meanings: dict[str, tuple[object, str]] = {
            name: (name, "the exported file") for name in reserved
        }

    def add(self, thing: type | FunctionType) -> None:
        """Add a class or function, with what it needs.

        Raises:
            BundleError: Something that it needs is no plain definition or import at the top of its module, or two
                things have one name.
        """
        self._need(thing.__name__, sys.modules[thing.__module__])

    def add_text(self, name: str, text: str, module: ModuleType) -> None:
        """Add a definition of one's own, which takes its names from `module`.

        Raises:
            BundleError: As for `add`.
        """
        if self._claim(name, text, "the exported network"):
            self._define(name, text, module)

    def add_import(self, module: str, name: str) -> None:
        """Add `from module import name`, of an installed package.

        Raises:
            BundleError: The name means something else already.
        """
        if self._claim(name, getattr(importlib.import_module(module), name), module):
            self.imports.add_from(module, name)

    @property
    def text(self) -> str:
        """The definitions; short ones in a row stand together."""
        text = ""
        for previous, current in zip(["", *self._texts], self._texts, strict=False):
            apart = "\n" in previous or "\n" in current
            text += ("\n\n\n" if apart else "\n") + current
        return text.strip("\n")

    def _need(self, name: str, module: ModuleType) -> None:
        if name not in vars(module):
            return  # a builtin, or a name for the type checker alone
        thing, origin = vars(module)[name], module.__name__
        if not _is_own(origin):
            self.add_import(origin, name)
            return
        statement = _statements(module).get(name)
        if statement is None:
            raise BundleError(f"{name} of {origin} must be defined at the top of its module")
        if isinstance(statement, _IMPORTS):
            self._import(name, statement, module)
        elif self._claim(name, thing, origin):
            text = without_unused(name, statement, module, inspect.getsource(module), self._recording)
            self._define(name, text, module)

    def _define(self, name: str, text: str, module: ModuleType) -> None:
        if vars(module).get("annotations") is __future__.annotations:
            self.imports.add_from("__future__", "annotations")
        for needed in sorted(_global_names(text) - {name}):
            self._need(needed, module)
        self._texts.append(text)

    def _import(self, name: str, statement: ast.Import | ast.ImportFrom, module: ModuleType) -> None:
        """Follow an import into modules of one's own; keep one of installed packages."""
        alias = next(a for a in statement.names if (a.asname or a.name.partition(".")[0]) == name)
        thing = vars(module)[name]
        level = "." * statement.level if isinstance(statement, ast.ImportFrom) else ""
        source = alias.name if isinstance(statement, ast.Import) else statement.module or ""
        source = importlib.util.resolve_name(level + source, module.__package__)
        if not _is_own(source):
            if not self._claim(name, thing, source):
                return
            if isinstance(statement, ast.Import):
                self.imports.add(source, alias.asname)
            else:
                self.imports.add_from(source, alias.name, alias.asname)
        elif isinstance(thing, ModuleType):
            raise BundleError(f"{module.__name__} must import what it takes from {thing.__name__} by name")
        else:
            self._need(alias.name, importlib.import_module(source))
            if self._claim(name, thing, source):
                self._texts.append(f"{name} = {alias.name}")

    def _claim(self, name: str, thing: object, origin: str) -> bool:
        """Whether the name is new.

        Raises:
            BundleError: It means something else already.
        """
        known, where = self._meanings.setdefault(name, (thing, ""))
        if known is not thing:
            raise BundleError(
                f"{name} must mean one thing, but is defined by {where} and by {origin}: rename one"
            )
        self._meanings[name] = (thing, where or origin)
        return not where


def _is_own(module: str) -> bool:
    """Whether a module belongs to nasray or to its user, rather than to Python or an installed package."""
    if module.partition(".")[0] == OWN_PACKAGE:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return False
    installed = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    return not any(Path(file).is_relative_to(folder) for folder in installed)


def _statements(module: ModuleType) -> dict[str, ast.stmt]:
    """The statement at the top of a module that gives each name its meaning."""
    statements: dict[str, ast.stmt] = {}
    for statement in ast.parse(inspect.getsource(module)).body:
        match statement:
            case ast.Import() | ast.ImportFrom():
                names = [a.asname or a.name.partition(".")[0] for a in statement.names]
            case ast.FunctionDef() | ast.ClassDef():
                names = [statement.name]
            case ast.Assign() | ast.AnnAssign():
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                names = [node.id for t in targets for node in ast.walk(t) if isinstance(node, ast.Name)]
            case _:
                names = []
        statements |= dict.fromkeys(names, statement)
    return statements


def _global_names(text: str) -> set[str]:
    """The names that a definition takes from its module, those of annotations included."""
    names = set()
    open_codes: list[Any] = [compile(text, "definition", "exec", dont_inherit=True)]
    while open_codes:
        code = open_codes.pop()
        names |= {step.argval for step in dis.get_instructions(code) if step.opname in _LOADS}
        open_codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    for node in ast.walk(ast.parse(text)):
        # Those of local variables are never evaluated, so that no instruction loads them.
        if isinstance(node, ast.AnnAssign):
            names |= {part.id for part in ast.walk(node.annotation) if isinstance(part, ast.Name)}
    return {name for name in names if not name.startswith("__")}  # every module has those of Python
