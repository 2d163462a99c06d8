"""A disk that is full when something is to be written; then some space is freed."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.outcome import Outcome, Place
from faults.search import Search, SurvivalError

_ENOUGH = "64m"


def is_possible() -> bool:
    """Whether a small disk can be made: only root may mount one."""
    return os.geteuid() == 0


def fill_disk(place: Place) -> Outcome:
    """The disk is full while features, a checkpoint, or anything at all is written."""
    disks = {
        "features": ("runs/features", "200k"),
        "checkpoint": ("runs/tiny/units", "64k"),
        "all": ("runs", "600k"),
    }
    for name, (below, size) in disks.items():
        folder = place.folder / name
        with _disk(folder / below, size) as disk, Search(folder) as search:
            search.start()
            search.finish(succeeds=False)
            _check(search, disk)
            subprocess.run(["mount", "-o", f"remount,size={_ENOUGH}", str(disk)], check=True)
            search.complete()
            place.check(search)
    return Outcome(len(disks), len(disks), None)


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of so many bytes at a folder."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _check(search: Search, disk: Path) -> None:
    """Hold the search to a message that names what is full, and to leaving no half file.

    Raises:
        SurvivalError: It gave none, or left one.
    """
    if "disk is full" not in search.output:
        raise SurvivalError(f"the full disk must be said, but it is not:\n{search.output[-3000:]}")
    halves = [path for path in disk.rglob(".*.*") if path.is_file()]
    if halves:
        raise SurvivalError(f"no half files must be left, {halves} are")
