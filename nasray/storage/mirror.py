"""A folder of this machine in which the files of a store are worked on, and which is brought up to date with it.

The store is the authority, the folder is a cache that may be removed when nothing runs. A file that is the same in both
bears, here, the store's time of it in whole seconds; what is written here bears a finer time, and is thereby known as
not yet pushed. So there is no mirror on a disk that rounds the times of files.

A file that is gone here goes from the store only if this very process removed it: others may have cleaned up a cache,
or a disk may have lost it. What was set aside here as damaged stays in the store, where it may be whole.

A JSON file tells that the files beside it are whole: what changes loses its records in the store first, and gets them
back last, the marker of a finished unit after all others. So a reader of the store never sees a record of files that
are not there yet.
"""

import fcntl
import functools
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from nasray.errors import UserError
from nasray.search_spaces.artefacts.run_files import DONE
from nasray.search_spaces.files.atomic_file import write_json
from nasray.storage.removals import removals_below
from nasray.storage.store import Entry, Store

_MARKER = ".store.json"  # in the staging folder: which store's it is
_TUNE = "tune"  # Ray Tune's own files mean something to one launch on one machine alone
_ASIDE = ".damaged"  # what was set aside on one machine says nothing of the store's copy
_SECOND, _MICROSECOND = 1_000_000_000, 1000
_FINE_TIME = 1_234_567_890_123_456_000  # in nanoseconds, to the microsecond
Wanted = Callable[[Path], bool]
Unpushed = Literal["stays", "yields", "goes"]


class Mirror:
    """A store and the staging folder in which its files are worked on.

    Attributes:
        url: The store's URL.
        folder: The staging folder, absolute.
        machine: What this staging folder is known by, in the store.
    """

    def __init__(self, folder: Path) -> None:
        marker = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        self.url, self.machine, self.folder = marker["url"], marker["machine"], folder
        self._seen: set[str] = set()
        self._removed = removals_below(folder)

    @staticmethod
    def create(url: str, folder: Path) -> "Mirror":
        """The mirror of a store in a staging folder, which is made if it is not there.

        Raises:
            UserError: The folder is another store's or account's, or its disk rounds the times of files.
        """
        _check_times(folder)
        if not (folder / _MARKER).is_file():
            write_json(folder / _MARKER, {"url": url, "machine": secrets.token_hex(8)})
            mirror_at.cache_clear()
        if not _is_own(folder / _MARKER):
            raise UserError(
                f"storage.staging must be a folder of this account's own, but {folder} is another's: give another one"
            )
        mirror = mirror_at(folder)
        if mirror.url != url:
            raise UserError(
                f"storage.staging must be a folder of its own for each storage.root, but {folder} holds files of "
                f"{mirror.url}: give another one, or remove it"
            )
        return mirror

    def __reduce__(self) -> tuple[Callable[[str, Path], "Mirror"], tuple[str, Path]]:
        """On another node it is that node's own."""
        return Mirror.create, (self.url, self.folder)

    @staticmethod
    def of(path: Path) -> "Mirror | None":
        """The mirror in whose folder a path lies; None where it lies in none, and is itself the storage.

        What another account left above it, in a temporary folder say, makes none: results would go to its store.
        """
        folder = next((folder for folder in path.parents if _is_own(folder / _MARKER)), None)
        return None if folder is None else mirror_at(folder)

    @functools.cached_property
    def store(self) -> Store:
        """The store, opened."""
        return Store(self.url)

    def pull(self, *paths: Path, wanted: Wanted = lambda path: True, unpushed: Unpushed = "stays") -> None:
        """Bring files here as the store has them, those excepted that are the same already.

        Args:
            paths: Files, and folders with all that is in them.
            wanted: Tells by a file's place here whether it is asked for at all.
            unpushed: What becomes of what was written here and is not pushed: it stays; it yields to what the store
                has of that name; or it goes, whatever the store has.
        """
        for path in paths:
            with self._alone(path):
                self._pull(path, wanted, unpushed)

    def fetch(self, path: Path) -> bool:
        """Bring a file here anew, whatever is here; whether the store has it."""
        entry = self.store.entry(self.name(path))
        if entry is not None:
            self._download(path, entry)
        return entry is not None

    def push(self, *paths: Path) -> None:
        """Bring to the store what was written here, and remove from it what this process removed.

        Raises:
            OSError: The whole folder is gone, and what was not pushed with it.
        """
        if not (self.folder / _MARKER).is_file():
            raise OSError(f"{self.folder} must stay while a search works in it, but it was removed")
        for path in paths:
            self._push(path)

    def name(self, path: Path) -> str:
        """What a file of the folder is called in the store."""
        return path.relative_to(self.folder).as_posix()

    def _pull(self, path: Path, wanted: Wanted, unpushed: Unpushed) -> None:
        # Before the store is asked: what is pushed in between must not be taken for removed there.
        here = {file: status for file, status in self._files(path).items() if wanted(file)}
        entries = {self.folder / name: entry for name, entry in self.store.entries(self.name(path)).items()}
        there = {file: entry for file, entry in entries.items() if self._is_mirrored(file) and wanted(file)}
        written = {file for file, status in here.items() if not _is_pushed(status)}
        kept = {"stays": written, "yields": written - there.keys(), "goes": set[Path]()}[unpushed]
        for file in here.keys() - there.keys() - kept:
            file.unlink(missing_ok=True)
        for file, entry in there.items():
            if file not in kept and not (file in here and _is_same(here[file], entry)):
                self._download(file, entry)
        self._removed.difference_update(map(self.name, here.keys() | there.keys()))
        self._seen -= self._seen_below(path)
        self._seen |= set(map(self.name, there))

    def _push(self, path: Path) -> None:
        seen = self._seen_below(path)
        gone = {name for name in seen & self._removed if not (self.folder / name).exists()}
        written = {self.name(file) for file, status in self._files(path).items() if not _is_pushed(status)}
        records = [name for name in seen & (gone | written) if _rank(name)]
        for name in sorted(records, key=_rank, reverse=True):
            self.store.delete(name)
        for name in sorted(written, key=_rank):
            self._upload(name)
        for name in gone.difference(records):
            self.store.delete(name)
        self._seen -= gone
        self._removed -= gone

    def _download(self, path: Path, entry: Entry) -> None:
        self.store.download(self.name(path), path)
        os.utime(path, (entry.seconds, entry.seconds))

    def _upload(self, name: str) -> None:
        """Push a file; it counts as pushed unless it was written to, replaced or removed meanwhile."""
        path = self.folder / name
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                entry = self.store.upload(path, name)
                after = os.fstat(file.fileno())
                if before.st_mtime_ns == after.st_mtime_ns and after.st_size == entry.num_bytes:
                    os.utime(file.fileno(), (entry.seconds, entry.seconds))
        except FileNotFoundError:
            return
        self._seen.add(name)
        self._removed.discard(name)

    def _files(self, path: Path) -> dict[Path, os.stat_result]:
        """The mirrored files that are here, at or below a path."""
        found = {}
        for file in [path] if path.is_file() else path.rglob("*"):
            with suppress(FileNotFoundError):
                if self._is_mirrored(file) and file.is_file():
                    found[file] = file.stat()
        return found

    def _is_mirrored(self, file: Path) -> bool:
        """Whether a file is the store's, too: no hidden one, such as half of a file, none of Tune's, none set aside."""
        parts = file.relative_to(self.folder).parts
        is_hidden = any(part.startswith(".") for part in parts)
        return not is_hidden and _TUNE not in parts[1:3] and not file.name.endswith(_ASIDE)

    def _seen_below(self, path: Path) -> set[str]:
        name = self.name(path)
        return {seen for seen in self._seen if seen == name or seen.startswith(f"{name}/")}

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Within, no other process of this machine pulls the same path: it would bring the same files again."""
        digest = hashlib.sha256(self.name(path).encode()).hexdigest()[:16]
        lock = self.folder / ".locks" / digest
        lock.parent.mkdir(exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _is_own(marker: Path) -> bool:
    try:
        return marker.stat().st_uid == os.geteuid()
    except OSError:
        return False


@functools.cache
def mirror_at(folder: Path) -> Mirror:
    """The mirror in a staging folder, one in a process: it knows what this process has seen in the store."""
    return Mirror(folder)


def _check_times(folder: Path) -> None:
    """Make a folder where files of a store can be worked on.

    Raises:
        UserError: Its disk rounds the times of files, by which what is not pushed is known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".times.") as probe:
        os.utime(probe.fileno(), ns=(_FINE_TIME, _FINE_TIME))
        kept = os.fstat(probe.fileno()).st_mtime_ns
    if abs(kept - _FINE_TIME) >= _MICROSECOND:
        raise UserError(
            "the disk of storage.staging (or else of the user's cache folder) must keep the times of files to the "
            f"microsecond, but that of {folder} rounds them: set storage.staging to a folder on another disk"
        )


def _rank(name: str) -> int:
    """Place in the line of what is pushed: files, records of them, markers of finished units."""
    return 2 if name.endswith(f"/{DONE}") else int(name.endswith(".json"))


def _is_pushed(status: os.stat_result) -> bool:
    """Whether a file bears the store's time, in whole seconds."""
    return status.st_mtime_ns % _SECOND == 0


def _is_same(status: os.stat_result, entry: Entry) -> bool:
    """Whether a file here is what the store has."""
    return status.st_size == entry.num_bytes and status.st_mtime_ns == entry.seconds * _SECOND
