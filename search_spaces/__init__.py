"""The vocabulary of a search: candidates, blocks, spaces, their costs and the table of their ratings."""

import importlib
from typing import Any

_PUBLIC = {
    "Architecture": "nasray.search_spaces.architecture",
    "CellSpace": "nasray.search_spaces.cells.cell_space",
    "SearchSpace": "nasray.search_spaces.chain.space",
    "SpaceConfig": "nasray.search_spaces.settings",
    "build_space": "nasray.search_spaces.build",
}
__all__ = ["Architecture", "CellSpace", "SearchSpace", "SpaceConfig", "build_space"]


def __getattr__(name: str) -> Any:
    """A public name, imported on first use, so that tables and settings need no torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
