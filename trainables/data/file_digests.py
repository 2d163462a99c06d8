"""Digests of files' contents, kept so that a file is read again only where it may have changed."""

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console
from rich.progress import track

from nasray.errors import UserError
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.search_spaces.files.cache_folder import cache_folder

_NUM_READERS = 8
_LEAST_FILES_SHOWN = 1000
_NUM_SHOWN = 4
# A file may change within the tick of its disk's clock after it was read, and look as before.
_SECONDS_TO_SETTLE = 2.0


class _State(NamedTuple):
    """What a file's system tells of it; a changed file differs in one of them, if only in the last."""

    size: int
    modified_ns: int
    changed_ns: int


class FileDigests:
    """Digests of the files below a folder; they are kept in this account's cache, if it has one.

    Args:
        folder: The files' folder.
        check: What is wrong with a file that is read, if anything; None: that is not asked.
    """

    def __init__(self, folder: Path, check: Callable[[Path], str | None] | None = None) -> None:
        self._folder, self._check = folder.absolute(), check
        name = hashlib.sha256(str(self._folder).encode()).hexdigest()[:24]
        self._path: Path | None = None
        with suppress(RuntimeError):  # an account without a home folder has no place to keep them
            self._path = cache_folder() / "digests" / f"{name}.parquet"

    def of(self, names: Sequence[str]) -> list[str]:
        """The SHA-256 of each file's content; reading many is shown as a bar on the terminal.

        Args:
            names: Paths of the files below the folder.

        Raises:
            UserError: There is something wrong with files that are read; it lists them.
            OSError: A file cannot be read.
        """
        known = self._read()
        start_ns = time.time_ns()
        states = {name: _state(self._folder / name) for name in names}
        unread = [name for name, state in states.items() if name not in known or known[name][0] != state]
        if not unread:
            return [known[name][1] for name in names]
        found = {name: known[name] for name in names if name in known}
        faults: dict[str, str] = {}
        for name, (digest, fault) in zip(unread, self._looked_at(unread), strict=True):
            if fault is None:
                found[name] = states[name], digest
            else:
                faults[name] = fault
        self._write(found, start_ns)
        if faults:
            listed = "; ".join(f"{name}: {fault}" for name, fault in list(faults.items())[:_NUM_SHOWN])
            more = f"; and {len(faults) - _NUM_SHOWN} more" if len(faults) > _NUM_SHOWN else ""
            raise UserError(
                f"{self._folder} must hold whole files, but is damaged in {len(faults):,} of {len(names):,}: "
                f"{listed}{more}: replace or remove them"
            )
        return [found[name][1] for name in names]

    def _looked_at(self, names: Sequence[str]) -> list[tuple[str, str | None]]:
        """The digest of each file, and what is wrong with it."""
        console = Console(stderr=True)
        with ThreadPool(_NUM_READERS) as readers:
            return list(
                track(
                    readers.imap(self._look_at, (self._folder / name for name in names), chunksize=16),
                    "Reading the data set's files",
                    total=len(names),
                    console=console,
                    transient=True,
                    disable=len(names) < _LEAST_FILES_SHOWN or not console.is_terminal,
                )
            )

    def _look_at(self, path: Path) -> tuple[str, str | None]:
        return _digest(path), None if self._check is None else self._check(path)

    def _read(self) -> dict[str, tuple[_State, str]]:
        """Per file, its state when it was read, and its digest; nothing where that is not to be had."""
        if self._path is None or not self._path.is_file():
            return {}
        try:
            kept = pd.read_parquet(self._path)
            columns = [kept[name] for name in ("name", *_State._fields, "digest")]
        except (OSError, ValueError, KeyError):  # a damaged one counts as none
            return {}
        return {name: (_State(*state), digest) for name, *state, digest in zip(*columns, strict=True)}

    def _write(self, found: dict[str, tuple[_State, str]], start_ns: int) -> None:
        if self._path is None:
            return
        latest = start_ns - int(1e9 * _SECONDS_TO_SETTLE)
        settled = {
            name: (state, digest)
            for name, (state, digest) in found.items()
            if max(state.modified_ns, state.changed_ns) < latest
        }
        rows = [(name, *state, digest) for name, (state, digest) in settled.items()]
        with suppress(OSError):  # without a place to keep them, files are read again
            write_parquet(self._path, pd.DataFrame(rows, columns=["name", *_State._fields, "digest"]))


def _state(path: Path) -> _State:
    status = path.stat()
    return _State(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
