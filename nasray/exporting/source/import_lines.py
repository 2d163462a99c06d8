"""The import statements of a file, each name once, in the usual order."""

import sys
from collections import defaultdict

_FUTURE, _STANDARD, _INSTALLED = range(3)


class ImportLines:
    """Imports as they are asked for."""

    def __init__(self) -> None:
        self._modules: set[tuple[str, str | None]] = set()
        self._names: dict[str, set[tuple[str, str | None]]] = defaultdict(set)

    def add(self, module: str, asname: str | None = None) -> None:
        """Ask for `import module [as asname]`."""
        self._modules.add((module, asname))

    def add_from(self, module: str, name: str, asname: str | None = None) -> None:
        """Ask for `from module import name [as asname]`."""
        self._names[module].add((name, None if asname == name else asname))

    @property
    def packages(self) -> list[str]:
        """The installed packages that must be there, sorted."""
        modules = {module for module, _ in self._modules} | self._names.keys()
        return sorted({m.partition(".")[0] for m in modules if _section(m) == _INSTALLED})

    @property
    def text(self) -> str:
        """The statements: the standard library's first, `import` before `from`."""
        sections: dict[int, list[str]] = defaultdict(list)
        for module, asname in sorted(self._modules, key=lambda pair: (pair[0], pair[1] or "")):
            sections[_section(module)].append(f"import {_renamed(module, asname)}")
        for module, names in sorted(self._names.items()):
            ordered = sorted(names, key=lambda pair: (_kind(pair[0]), pair[0], pair[1] or ""))
            listed = ", ".join(_renamed(name, asname) for name, asname in ordered)
            sections[_section(module)].append(f"from {module} import {listed}")
        return "\n\n".join("\n".join(sections[section]) for section in sorted(sections))


def _renamed(name: str, asname: str | None) -> str:
    return name if asname is None else f"{name} as {asname}"


def _section(module: str) -> int:
    top = module.partition(".")[0]
    if top == "__future__":
        return _FUTURE
    return _STANDARD if top in sys.stdlib_module_names else _INSTALLED


def _kind(name: str) -> int:
    """Constants stand before classes, these before the rest."""
    if name.isupper() and len(name) > 1:
        return 0
    return 1 if name[0].isupper() else 2
