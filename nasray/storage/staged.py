"""What of a store is brought here for whom, and what each leaves in it: a launch, a unit, a command that only reads.

What a unit reads lies below the paths that its spec names, but for the features: of these it gets what its block needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nasray.storage.mirror import Mirror
from trainables.block_distillation.refinement import RefinementSpec
from trainables.block_distillation.trainable import BlockSpec, RatingSpec
from trainables.feature_config import SplitName
from trainables.feature_units import (
    FeatureManifestSpec,
    FeatureShardSpec,
    feature_store,
)
from trainables.inputs import SearchInputs
from trainables.teacher_unit import TeacherResult
from trainables.trainable import CHECKPOINT, CHECKPOINT_PARTS
from trainables.units import Spec

MANIFEST = "manifest.json"  # of features
_BOUNDARY = "boundary_"
_LAUNCH = ".launch"  # of a run in the store: where the last launch was


def begin_launch(mirror: Mirror, run: Path) -> None:
    """Bring a run here for a launch; what an interrupted one left here is kept only if none came since elsewhere."""
    name = f"{mirror.name(run)}/{_LAUNCH}"
    latest = mirror.store.read(name)
    pull_run(mirror, run, exact=latest not in (None, mirror.machine.encode()))
    mirror.store.write(name, mirror.machine.encode())


def pull_run(mirror: Mirror, run: Path, *, exact: bool = False) -> None:
    """Bring a run's results here, and word of the features that there are."""
    mirror.pull(run, wanted=_is_result, exact=exact)
    mirror.pull(run.parent / "features", wanted=lambda file: file.name == MANIFEST)


def pull_results(spec: Spec) -> None:
    """Bring here what a unit left in the store, if there is one."""
    mirror = Mirror.of(spec.folder)
    if mirror is not None:
        mirror.pull(spec.folder, *spec.outputs, wanted=_is_result)


@contextmanager
def staged(spec: Spec, mirror: Mirror | None) -> Iterator[Callable[[], None]]:
    """Within, all that a unit reads is here; gives what brings to the store what it wrote so far, done once more after.

    Args:
        spec: The unit.
        mirror: The store with the folder in which its files are worked on; None: there is none, and nothing to be done.
    """
    if mirror is None:
        yield lambda: None
        return
    mirror.pull(*_outermost(path for path in _named(spec.model_dump()) if _is_staged(path, spec, mirror)))
    written = _outermost([spec.folder, *spec.outputs])
    for folder, wanted in _features(spec):
        mirror.pull(folder, wanted=wanted)
        written.append(folder)  # who finds features damaged computes them anew
    yield lambda: mirror.push(*written)
    mirror.push(*written)


def _features(spec: Spec) -> Iterator[tuple[Path, Callable[[Path], bool]]]:
    """The folders of the features that a unit has to do with, and which of their files it reads."""
    match spec:
        case FeatureShardSpec():  # the record tells whether it is there already
            yield _feature_folder(spec.inputs, spec.split), lambda file: file.suffix == ".json"
        case FeatureManifestSpec():
            yield _feature_folder(spec.inputs, spec.split), lambda file: True
        case BlockSpec() | RatingSpec() | RefinementSpec():
            block = spec.target.block
            if spec.inputs.features.modes[block] == "cached":
                read = {f"{_BOUNDARY}{block}", f"{_BOUNDARY}{block + 1}"}
                for folder in (
                    _feature_folder(spec.inputs, "train"),
                    _feature_folder(spec.inputs, "held_out"),
                ):
                    yield folder, lambda file: file.suffix == ".json" or file.parent.name in read


def _feature_folder(inputs: SearchInputs, split: SplitName) -> Path:
    return feature_store(inputs, TeacherResult.read(inputs.teacher_folder), split).folder


def _is_staged(path: Path, spec: Spec, mirror: Mirror) -> bool:
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


def _outermost(paths: Iterator[Path] | list[Path]) -> list[Path]:
    """The paths, once each, without those that lie below others."""
    chosen: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in chosen):
            chosen.append(path)
    return chosen


def _is_result(file: Path) -> bool:
    """Whether a file is more than a step on the way to a result."""
    return file.name != CHECKPOINT and CHECKPOINT_PARTS not in file.parts
