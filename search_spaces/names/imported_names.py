"""Names that a source file imports, read from its statements without running any of it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def imported_names(module: str, file: Path) -> Iterator[str]:
    """What a module's file imports, wherever the statement stands; names of attributes may be among it.

    An import whose module is known only when it runs is not seen.
    """
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _statements(file, file.stat().st_mtime_ns):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name, *parents(alias.name))
            continue
        base = node.module or ""
        if node.level:
            above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            base = f"{above}.{base}".strip(".")
        if base:
            yield from (base, *parents(base))
        yield from (f"{base}.{alias.name}".strip(".") for alias in node.names if alias.name != "*")


def parents(module: str) -> Iterator[str]:
    """The packages that a module lies in, whose files run when it is imported."""
    while module := module.rpartition(".")[0]:
        yield module


@cache
def _statements(file: Path, _time_ns: int) -> list[ast.Import | ast.ImportFrom]:
    """The import statements of a file, wherever they stand in it; none where it is no Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
