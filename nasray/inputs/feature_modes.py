"""The choice, block by block, whether the teacher's features are cached or computed anew."""

from collections.abc import Sequence

from nasray.errors import UserError
from nasray.inputs.fit import check_per_block
from nasray.run.folder import RunFolder
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.features.choice import choose_modes, feature_bytes, measure_speeds, prefix_macs
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.features import Mode


def with_feature_modes(
    config: ExperimentConfig, num_passes: int, inputs: SearchInputs, teacher: CutTeacher, folder: RunFolder
) -> ExperimentConfig:
    """The config with the features' mode of each block; a run that was resolved before keeps its own.

    Args:
        config: The config, whose `features.mode` may be "auto".
        num_passes: How often the searches read the features.
        inputs: What all units share.
        teacher: The teacher, cut.
        folder: The run's folder.

    Raises:
        UserError: The modes do not fit the blocks, or the augmentation.
    """
    modes, num_blocks = config.features.mode, len(inputs.space.blocks)
    check_per_block("features.mode", modes, num_blocks)
    if modes == "auto" and folder.config.is_file():
        previous = folder.read_config()
        resolved = _with_modes(config, previous.features.mode)
        if not previous.differences(resolved):
            return resolved
    if modes == "auto":
        modes = _choose(config, num_passes, inputs, teacher)
    elif isinstance(modes, str):
        modes = (modes,) * num_blocks
    _check_views(config, modes)
    return _with_modes(config, modes)


def _choose(
    config: ExperimentConfig, num_passes: int, inputs: SearchInputs, teacher: CutTeacher
) -> tuple[Mode, ...]:
    """The faster mode of each block; fresh augmentation needs the teacher online."""
    num_blocks = len(inputs.space.blocks)
    if _fresh_augmentation(config):
        return tuple("online" for _ in range(num_blocks))
    macs = prefix_macs(teacher)
    speeds = measure_speeds(teacher, macs[-1], inputs.features_root, config.compute)
    bytes_per_image = feature_bytes(teacher.feature_shapes, config.features)
    return choose_modes(bytes_per_image, macs, sum(inputs.feature_rows.values()), num_passes, speeds)


def _check_views(config: ExperimentConfig, modes: Sequence[Mode]) -> None:
    if config.features.views and config.data.augment is None:
        raise UserError(
            f"features.views must be 0 or left out where data.augment is not given, got {config.features.views}"
        )
    if "cached" in modes and _fresh_augmentation(config):
        raise UserError(
            "features.views must be a number (0 for plain images) where data.augment is given and features.mode is "
            "cached: a cache cannot hold fresh augmentation"
        )


def _fresh_augmentation(config: ExperimentConfig) -> bool:
    return config.data.augment is not None and config.features.views is None


def _with_modes(config: ExperimentConfig, modes: object) -> ExperimentConfig:
    return config.model_copy(update={"features": config.features.model_copy(update={"mode": modes})})
