"""The code that a run's config names as "module:attribute", found without running any of it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import Any

from nasray.search_spaces.names.imported_names import imported_names

_PLACES = ("storage", "tracking", "resources")  # sections with colons of other meanings
_OWN = "nasray"


@dataclass(frozen=True, slots=True)
class NamedCode:
    """What a config names.

    Attributes:
        names: Each "module:attribute" whose module can be imported, sorted.
        files: The files of modules beside the config's user, in the current directory, by the module's name: of those
            that are named and of those that they import from there. What is installed is not among them.
    """

    names: tuple[str, ...]
    files: dict[str, Path]

    @property
    def digests(self) -> dict[str, str]:
        """The content of each file."""
        return {
            name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in sorted(self.files.items())
        }

    def forget_compiled(self) -> None:
        """Remove what Python kept of the files, which it would run in their place, and which nobody can read."""
        for file in self.files.values():
            if file.suffix == ".py":
                Path(cache_from_source(str(file))).unlink(missing_ok=True)


def named_code(plain: dict[str, Any]) -> NamedCode:
    """The code that a config, as plain data, names."""
    texts = _texts({key: value for key, value in plain.items() if key not in _PLACES})
    modules = {text: text.partition(":")[0] for text in texts if ":" in text}
    here = [str(Path.cwd())]
    names = [text for text, module in modules.items() if _chain(module, here) or _is_installed(module)]
    files: dict[str, Path] = {}
    waiting = [modules[name] for name in names]
    while waiting:
        for spec in _chain(waiting.pop(), here):
            if spec.name in files or spec.origin is None or spec.name.partition(".")[0] == _OWN:
                continue
            files[spec.name] = Path(spec.origin)
            if spec.origin.endswith(".py"):
                waiting += imported_names(spec.name, Path(spec.origin))
    return NamedCode(tuple(sorted(names)), files)


def _texts(plain: Any) -> Iterator[str]:
    """All texts among the values of plain data."""
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, dict | list):
        for value in plain.values() if isinstance(plain, dict) else plain:
            yield from _texts(value)


def _chain(module: str, places: list[str]) -> list[ModuleSpec]:
    """Where the module lies in the places, with the packages around it, outermost first; of those that are there."""
    found: list[ModuleSpec] = []
    where: Any = places
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), where)
        if spec is None:
            return found
        found.append(spec)
        if spec.submodule_search_locations is None:
            return found
        where = list(spec.submodule_search_locations)
    return found


def _is_installed(module: str) -> bool:
    """Whether a module, or the package around it, can be imported from elsewhere, if only as a part of Python."""
    try:
        return find_spec(module.partition(".")[0]) is not None
    except ValueError:  # one that is there already and does not say from where
        return True
