"""Files that are whole or not there: no reader ever sees half of one."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasray.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_PROBE_BYTES = 1 << 20
_RANDOM_CHARACTERS = 8  # at the end of the names that mkstemp gives


class DiskFullError(UserError):
    """There is no space left for a file."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, to be written in the body; it becomes `path` when the body ends without error.

    Raises:
        DiskFullError: There is no space left; `path` is as it was before.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except Exception as error:
        if _tells_lack_of_space(error) or _has_no_space(temporary):
            raise _disk_full(path) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Delete what a writer that was killed left half-written in a folder, in which none may be writing now."""
    for path in folder.glob(".*." + "?" * _RANDOM_CHARACTERS):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as a whole, readable and with its keys in their given order."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_parquet(path: Path, frame: "pd.DataFrame") -> None:
    """Write a frame as a parquet file as a whole, without its index."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False)


@contextmanager
def writing_below(folder: Path) -> Iterator[None]:
    """Within, others write files below a folder, whose errors for lack of space are told as ours.

    Raises:
        DiskFullError: There is no space left.
    """
    try:
        yield
    except Exception as error:
        if _tells_lack_of_space(error):
            raise _disk_full(folder) from error
        raise


def _disk_full(path: Path) -> DiskFullError:
    return DiskFullError(
        f"there must be space for {path}, but its disk is full, or the quota on it used up: free some and run the same "
        "command again, which goes on from here"
    )


def _tells_lack_of_space(error: Exception) -> bool:
    return any(os.strerror(number) in str(error) for number in _NO_SPACE)


def _has_no_space(temporary: Path | None) -> bool:
    """Whether a write failed since the disk is full, of which torch and NumPy do not tell.

    The disk is asked: the file is still there, with what it takes.
    """
    if temporary is None:
        return False
    try:
        with temporary.open("ab") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as refused:
        return refused.errno in _NO_SPACE
    return False


def _umask() -> int:
    """The process's file-creation mask: temporary files are private, the finished ones are not."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
