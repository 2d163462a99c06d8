"""Files that are not what was written: cut short, or with a flipped bit."""

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from faults.outcome import Outcome, Place
from faults.search import Search, SurvivalError, damage

# Markers and the ranking are made anew from what they stand for, in a blink and without a word.
_DERIVED = ("done.json", "ranking.parquet", "ranking.json")


def truncate_checkpoint(place: Place) -> Outcome:
    """The command dies, and of a cell's checkpoint only a part is left."""
    return _damaged_checkpoints(
        place, lambda path: os.truncate(path, place.rng.randrange(path.stat().st_size)), 2
    )


def flip_in_checkpoint(place: Place) -> Outcome:
    """The command dies, and in a cell's checkpoint a bit of a tensor flips."""

    def flip(path: Path) -> None:
        with zipfile.ZipFile(path) as parts:  # between its parts there is padding, which nobody would miss
            largest = max(parts.infolist(), key=lambda part: part.file_size)
        before_name, content = 26, path.read_bytes()
        lengths = struct.unpack_from("<HH", content, largest.header_offset + before_name)
        first = largest.header_offset + before_name + 4 + sum(lengths)
        damage(path, first + place.rng.randrange(largest.file_size))

    return _damaged_checkpoints(place, flip, 2)


def flip_in_features(place: Place) -> Outcome:
    """A bit flips in a shard of features before the cells read it."""
    root = place.features / "runs"
    names = [f"boundary_{boundary}/{shard}.npy" for boundary, shard in ((0, 0), (1, 2), (2, 1))]
    shards = [next(root.glob(f"features/*/{name}")) for name in names]
    return _damaged_files(place, place.features, [str(path.relative_to(root)) for path in shards])


def flip_in_results(place: Place) -> Outcome:
    """A bit flips in the teacher, or of a finished search in a table of ratings, a supernet, a marker, the ranking."""
    teacher = _damaged_files(place, place.features, ["tiny/teacher/weights.safetensors"])
    names = (
        "ratings/block_0/2x8.parquet",
        "units/block_1/2x16/supernet.safetensors",
        "units/block_0/1x12/done.json",
        "ranking.parquet",
        "ranking.json",
    )
    others = _damaged_files(place, place.finished, [f"tiny/{name}" for name in names])
    return teacher + others


def _damaged_checkpoints(place: Place, harm: Callable[[Path], None], times: int) -> Outcome:
    seconds = 0.0
    for number in range(times):
        folder = place.folder / str(number)
        shutil.copytree(place.features, folder)
        with Search(folder) as search:
            search.start()
            search.wait_until(lambda: bool(search.checkpoints()))
            search.kill()
            (path,) = search.checkpoints()
            seconds += sum(epoch["seconds"] for epoch in torch.load(path, weights_only=True)["history"])
            harm(path)
            search.complete()
            place.check(search)
            _check_said(search)
    return Outcome(times, times, seconds)


def _damaged_files(place: Place, beginning: Path, names: Sequence[str]) -> Outcome:
    """A bit flips in each of the files, in a copy of a run each; paths begin at the storage."""
    seconds = 0.0
    for name in names:
        folder = place.folder / name.replace("/", "_")
        shutil.copytree(beginning, folder)
        damage(folder / "runs" / name, place.rng.randrange((folder / "runs" / name).stat().st_size))
        with Search(folder) as search:
            before = search.done()
            search.complete()
            place.check(search)
            again = [path for path, written in search.done().items() if before.get(path, written) != written]
            seconds += sum(_seconds(path) for path in again)
            if not name.endswith(_DERIVED):
                _check_said(search)
    return Outcome(len(names), len(names), seconds)


def _seconds(marker: Path) -> float:
    """How long a unit's epochs took."""
    return sum(epoch.get("seconds", 0.0) for epoch in json.loads(marker.read_text())["history"])


def _check_said(search: Search) -> None:
    """Hold a search to telling what it found.

    Raises:
        SurvivalError: It does not.
    """
    if " was damaged" not in search.output:
        raise SurvivalError(f"the damage must be said, but it is not:\n{search.output[-3000:]}")
