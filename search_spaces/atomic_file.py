"""Files that are whole or not there: no reader ever sees half of one."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, to be written in the body; it becomes `path` when the body ends without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as a whole, readable and with its keys in their given order."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as a parquet file as a whole, without its index."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False)


def _umask() -> int:
    """The process's file-creation mask: temporary files are private, the finished ones are not."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
