"""Files that this process removes below a folder, as Python's audit events tell.

Who removes a file need not say so: every removal is told as an audit event. What is merely absent may have been taken
away by anybody, such as a cleaner of caches, or never have come here.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BELOW: dict[Path, set[str]] = {}  # by folder


def removals_below(folder: Path) -> set[str]:
    """The names, relative to a folder, of files that this process removes below it; it grows as it does.

    Whoever has dealt with a name takes it out. What is renamed is not removed, and hidden files do not count.

    Args:
        folder: The folder, absolute.
    """
    if not _BELOW:
        sys.addaudithook(_note)
    return _BELOW.setdefault(folder, set())


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    """Python tells it of every event, before it happens."""
    if event not in ("os.remove", "shutil.rmtree"):
        return
    path = Path(os.fsdecode(arguments[0]))
    for folder, removed in list(_BELOW.items()):  # other threads may begin to watch others
        if path.is_relative_to(folder):
            # Of the files in a tree Python tells what they are called alone, and not where they lie.
            files = [path] if event == "os.remove" else _files(path)
            removed.update(
                map(Path.as_posix, filter(_is_shown, (file.relative_to(folder) for file in files)))
            )


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, as far as it can be looked at."""
    return (Path(place, name) for place, _, names in os.walk(folder) for name in names)


def _is_shown(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts)
