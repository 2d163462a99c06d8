"""Staging: which files of a store are brought here for a launch, a unit or a reader, and which go back.

What a unit reads lies below the paths that its spec names, but for the features: of these it gets what its block needs.
"""

import os
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasray.storage.mirror import Mirror, Unpushed, Wanted
from nasray.trainables.core.trainable import CHECKPOINT, CHECKPOINT_PARTS
from nasray.trainables.features.units import (
    FeatureManifestSpec,
    FeatureShardSpec,
    feature_store,
)
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.settings.features import SplitName
from nasray.trainables.teacher.unit import TeacherResult

MANIFEST = "manifest.json"  # of features
_BOUNDARY = "boundary_"
_LAUNCH = ".launch"  # of a run in the store: where the last launch was


def begin_launch(mirror: Mirror, run: Path) -> None:
    """Bring a run here for a launch; what an interrupted one left here is kept only if none came since elsewhere."""
    pull_run(mirror, run, unpushed=unpushed_of_launch(mirror, run))
    mirror.store.write(f"{mirror.name(run)}/{_LAUNCH}", mirror.machine.encode())


def unpushed_of_launch(mirror: Mirror, run: Path) -> Unpushed:
    """What becomes of what the last launch on this machine did not push: it goes if one came since elsewhere."""
    latest = mirror.store.read(f"{mirror.name(run)}/{_LAUNCH}")
    return "stays" if latest in (None, mirror.machine.encode()) else "goes"


def pull_run(mirror: Mirror, run: Path, *, unpushed: Unpushed = "stays") -> None:
    """Bring a run's results here, and word of the features that there are."""
    mirror.pull(run, wanted=_is_result, unpushed=unpushed)
    mirror.pull(run.parent / "features", wanted=lambda file: file.name == MANIFEST)


def pull_results(*specs: UnitSpec) -> None:
    """Bring here what units that ended left in the store, if there is one, in the place of what killed ones left here.

    Args:
        specs: Units of one run, none of which runs.
    """
    mirror = Mirror.of(specs[0].folder) if specs else None
    if mirror is None:
        return
    places = {path for spec in specs for path in _own(spec)}
    mirror.pull(
        Path(os.path.commonpath(places)),  # asked for once, since stores are slow to answer
        wanted=lambda file: _is_result(file) and _is_below(file, places),
        unpushed="yields",
    )


def fetch_damaged(spec: UnitSpec) -> list[Path]:
    """Bring those of a unit's outputs anew that are damaged here, from the store, if there is one that has them.

    Returns:
        What was brought; it may be damaged in the store as well.
    """
    mirror = Mirror.of(spec.folder)
    return [] if mirror is None else [path for path in spec.damaged if mirror.fetch(path)]


@contextmanager
def staged(spec: UnitSpec, mirror: Mirror | None) -> Iterator[Callable[[], None]]:
    """Within, all that a unit reads is here; gives what brings to the store what it wrote so far, done once more after.

    Args:
        spec: The unit.
        mirror: The store with the folder in which its files are worked on; None: there is none, and nothing to be done.
    """
    if mirror is None:
        yield lambda: None
        return
    written = _outermost(_own(spec))
    mirror.pull(*written)
    read = [path for path in _named(spec.model_dump()) if _is_staged(path, spec, mirror)]
    # What only this node has stays: it may be another unit's that is at work beside.
    mirror.pull(
        *_outermost(path for path in read if not _is_below(path, written)),
        wanted=lambda file: _is_result(file) and not _is_below(file, written),
        unpushed="yields",
    )
    for folder, wanted, unpushed in _features(spec):
        mirror.pull(folder, wanted=wanted, unpushed=unpushed)
        written.append(folder)  # who finds features damaged computes them anew
    yield lambda: mirror.push(*written)
    mirror.push(*written)


def _features(spec: UnitSpec) -> Iterator[tuple[Path, Wanted, Unpushed]]:
    """The folders of the features that a unit has to do with, which of their files it reads, and what is unpushed."""
    match spec:
        case FeatureShardSpec():  # the record tells whether it is there already
            yield _feature_folder(spec.inputs, spec.split), lambda file: file.suffix == ".json", "stays"
        case FeatureManifestSpec():
            yield _feature_folder(spec.inputs, spec.split), lambda file: True, "stays"
        case UnitSpec(inputs=SearchInputs() as inputs, reads_features_of=int(block)):
            if inputs.features.modes[block] == "cached":
                read = {f"{_BOUNDARY}{block}", f"{_BOUNDARY}{block + 1}"}
                for folder in (
                    _feature_folder(inputs, "train"),
                    _feature_folder(inputs, "held_out"),
                ):
                    yield folder, lambda file: file.suffix == ".json" or file.parent.name in read, "yields"


def _feature_folder(inputs: SearchInputs, split: SplitName) -> Path:
    return feature_store(inputs, TeacherResult.read(inputs.teacher_folder), split).folder


def _own(spec: UnitSpec) -> tuple[Path, ...]:
    """Where a unit leaves what it makes."""
    return (spec.folder, *spec.outputs)


def _is_below(path: Path, places: Container[Path]) -> bool:
    """Whether a path is one of the places, or lies in one."""
    return any(place in places for place in (path, *path.parents))


def _is_staged(path: Path, spec: UnitSpec, mirror: Mirror) -> bool:
    """Whether a path that a spec names lies in the store, the features as a whole excepted."""
    features = spec.inputs.features_root if isinstance(spec.inputs, SearchInputs) else None
    return path.is_relative_to(mirror.folder) and path != features


def _named(value: Any) -> Iterator[Path]:
    """All paths in plain data."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _named(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths, once each, without those that lie below others."""
    chosen: list[Path] = []
    for path in sorted(set(paths)):
        if not _is_below(path, chosen):
            chosen.append(path)
    return chosen


def _is_result(file: Path) -> bool:
    """Whether a file is more than a step on the way to a result."""
    return file.name != CHECKPOINT and CHECKPOINT_PARTS not in file.parts
