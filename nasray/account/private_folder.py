"""Private temporary folders: no other account of the machine can look into one, and none is left for ever."""

import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from nasray.errors import UserError

_PREFIX = "nasray-"
_EXAMPLE = f"{_PREFIX}abcdefgh"  # as long as any that tempfile makes
_LONGEST_SOCKET = 103 if sys.platform == "darwin" else 107
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def private_folder(longest_socket: str) -> Iterator[Path]:
    """A new folder for this account alone, removed at the end.

    What processes of this account that were killed left beside it is removed first.

    Args:
        longest_socket: The longest path below the folder that a Unix socket will have: such paths are limited.

    Raises:
        UserError: There is no place for it.
    """
    places = _places(longest_socket)
    for place in places:
        _remove_left(place)
    folder = _created(places)
    holder = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)  # it ends with this process, however that ends
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(holder)


def _places(longest_socket: str) -> list[Path]:
    """Where it may be made, best first."""
    wanted = (os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp", "/var/tmp")
    places = dict.fromkeys(Path(place).absolute() for place in wanted if place)
    return [
        place for place in places if holds_socket(place / _EXAMPLE, longest_socket) and _keeps_names(place)
    ]


def holds_socket(folder: Path, socket: str) -> bool:
    """Whether the path of a Unix socket below a folder is not too long for the system."""
    return len(os.fsencode(folder / socket)) <= _LONGEST_SOCKET


def _keeps_names(place: Path) -> bool:
    """Whether no other account can put something else under the name of what this account makes there."""
    try:
        modes = [folder.stat().st_mode for folder in (place, *place.resolve().parents)]
    except OSError:
        return False
    return all(mode & stat.S_ISVTX or not mode & _BY_OTHERS for mode in modes)


def _created(places: list[Path]) -> Path:
    """A new folder in the first of the places that takes one.

    Raises:
        UserError: None does.
    """
    for place in places:
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        except OSError:
            continue
        if not folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return folder
        folder.rmdir()  # a file system without permissions
    raise UserError(
        "TMPDIR must be a folder that this account can write, others cannot rename things in, and whose path is short "
        f"enough for sockets, got {tempfile.gettempdir()}, and /tmp and /var/tmp are none either: set TMPDIR"
    )


def _remove_left(place: Path) -> None:
    """Remove the private folders of this account in which no process works any more."""
    for folder in place.glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                _remove_if_free(folder)
        except OSError:  # another launch was faster
            continue


def _remove_if_free(folder: Path) -> None:
    """Remove a private folder unless it is held, is only about to be, or processes of a killed holder live on."""
    if not any(folder.iterdir()):
        return
    holder = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _names_anyone(folder):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(holder)


def _names_anyone(folder: Path) -> bool:
    """Whether a process was started with the folder among its arguments, as Ray's are."""
    return any(
        str(folder) in argument
        for process in psutil.process_iter(["cmdline"])
        for argument in process.info["cmdline"] or ()
    )
