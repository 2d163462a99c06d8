"""Digests of the user's source files behind a name "module:attribute", of all that its module imports, too."""

import hashlib
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from nasray.search_spaces.names.attribute import load_attribute
from nasray.search_spaces.names.imported_names import imported_names, parents

_PATHS = sysconfig.get_paths()
# Whose code is no user's: Python's own, and what is installed.
_INSTALLED = [
    Path(folder).resolve()
    for folder in (
        *(_PATHS[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
]
_OURS = frozenset({"nasray"})


def source_digests(names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of each source file behind the names, by its module's name.

    Files count of the modules that are named, and of those that these import in their turn, wherever the statement
    stands, where they are the user's own: of installed packages only those count of which a module is named, and of
    nasray only the modules that are. An import whose module is known only when it runs is not seen.

    Args:
        names: Each written "module:attribute".

    Raises:
        UserError: Like `load_attribute`.
    """
    named = set()
    for name in names:
        load_attribute(name)
        named.add(name.partition(":")[0])
    packages = {module.partition(".")[0] for module in named} - _OURS
    found: dict[str, str] = {}
    seen, waiting = set(named), sorted(named)
    while waiting:
        module = waiting.pop()
        file = _file(module)
        if file is None:
            continue
        is_users = _is_users(module, file, packages)
        if is_users or module in named:
            found[module] = hashlib.sha256(file.read_bytes()).hexdigest()
        if is_users:
            fresh = {*parents(module), *imported_names(module, file)} - seen
            seen |= fresh
            waiting += sorted(fresh)
    return dict(sorted(found.items()))


def _is_users(module: str, file: Path, packages: set[str]) -> bool:
    """Whether a module is the user's own, or of one of the packages."""
    package = module.partition(".")[0]
    if package in _OURS:
        return False
    return package in packages or not any(file.is_relative_to(folder) for folder in _INSTALLED)


def _file(module: str) -> Path | None:
    """The file of a module's source; None where there is none, or no such module."""
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(module)
        except Exception:  # the import is one that the user's code does not come to, or guards
            return None
        origin = None if spec is None or not spec.has_location else spec.origin
    path = None if origin is None else Path(origin).resolve()
    return path if path is not None and path.suffix == ".py" and path.is_file() else None
