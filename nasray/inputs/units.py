"""Units that make the teacher and its features, and what the units that learn from them need."""

from collections.abc import Iterator

from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.trainables.features.choice import prefix_macs
from nasray.trainables.features.units import FeatureManifestSpec, FeatureShardSpec
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.features import num_shards
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.teacher.untrained import untrained_teacher

TEACHER, FEATURES = "teacher", "features"


def teacher_unit(inputs: SearchInputs, *, keep_epochs: bool = False) -> Unit:
    """The teacher; its weights after every epoch are kept for those who learn from its past."""
    return Unit(TeacherSpec.of(inputs, keep_epochs=keep_epochs))


def feature_units(folder: RunFolder, inputs: SearchInputs) -> Iterator[Unit]:
    """Shards and manifest of each split, if any block reads from the cache."""
    if "cached" not in inputs.features.modes:
        return
    teacher = teacher_unit(inputs).name
    for split, rows in inputs.feature_rows.items():
        names = []
        for shard in range(num_shards(rows, inputs.features)):
            names.append(f"features/{split}/{shard}")
            spec = FeatureShardSpec(
                name=names[-1], folder=folder.unit(names[-1]), inputs=inputs, split=split, shard=shard
            )
            yield Unit(spec, needs=(teacher,), cost=min(rows, inputs.features.shard_rows))
        name = f"features/{split}"
        manifest = FeatureManifestSpec(name=name, folder=folder.unit(name), inputs=inputs, split=split)
        yield Unit(manifest, needs=tuple(names))


def data_units(inputs: SearchInputs, block: int) -> tuple[str, ...]:
    """Names of the units whose results a block's work reads."""
    cached = inputs.features.modes[block] == "cached"
    return ("features/train", "features/held_out") if cached else (teacher_unit(inputs).name,)


def macs_of_teacher(inputs: SearchInputs) -> list[int]:
    """Per block, what the teacher adds to the work on an image: its part up to there, where features are not cached."""
    modes = inputs.features.modes
    if "online" not in modes:
        return [0] * len(modes)
    macs = prefix_macs(untrained_teacher(inputs))
    return [some if mode == "online" else 0 for some, mode in zip(macs, modes, strict=True)]
