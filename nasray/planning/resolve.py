"""Decisions left open by a config, and the refusal of what cannot fit together, before a launch."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from nasray.analysis.tables.ratings import has_latencies
from nasray.errors import UserError
from nasray.planning.meetable_budgets import check_meetable
from nasray.planning.plan import identified, planned_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import LATENCY_MS, NUM_MACS, NUM_PARAMS
from nasray.search_spaces.build import build_space
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.uncounted import check_counted
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.block_wise.block_data import check_num_batches
from nasray.trainables.cutting.adapters import can_be_adapted, describe
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.features.choice import choose_modes, feature_bytes, measure_speeds, prefix_macs
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.settings.block_wise import BlockWiseConfig
from nasray.trainables.settings.features import Mode
from nasray.trainables.settings.sd_darts import SdDartsConfig
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig
from nasray.trainables.teacher.judgement import judge_at_hand
from nasray.trainables.trials.operation_trial import try_operations
from nasray.trainables.trials.teacher_trial import try_teacher


def resolve(
    config: ExperimentConfig, folder: RunFolder, console: Console | None = None, *, planned: bool = False
) -> tuple[ExperimentConfig, UnitInputs]:
    """The config with its features' mode decided per block, all parts checked and tried, and what its units share.

    A run that was resolved before keeps its decisions.

    Args:
        config: As it was loaded.
        folder: The run's folder.
        console: Where to say what was tried; None: nowhere.
        planned: Only plan: the data set need not be at hand, and is not read where there is no run yet.

    Raises:
        UserError: Teacher, space, data and settings do not fit together, or the folder holds a run of other data.
    """
    config = _with_rated_views(config)
    resolved, inputs = _resolved(
        config, planned_inputs(config, folder), folder, console or Console(quiet=True)
    )
    # Last, since reading all of the data set may take long.
    if not planned or (folder.config.is_file() and inputs.summary.found):
        inputs = identified(inputs, folder)
    return resolved, inputs


def _resolved(
    config: ExperimentConfig, inputs: UnitInputs, folder: RunFolder, console: Console
) -> tuple[ExperimentConfig, UnitInputs]:
    """The config with its features' mode decided per block, all parts checked, and the inputs with that decision."""
    if isinstance(inputs.space, SearchSpace):
        tried = try_operations(inputs.space)
        if tried is not None:
            console.print(tried, soft_wrap=True)
    if config.study is not None:
        for arm in config.study.arms:
            _check_halves(config.arm(arm), inputs)
        for space in config.study.spaces.values():
            build_space(space, inputs.summary.input_shape, inputs.summary.num_classes)
    elif config.sd_darts is not None:
        _check_halves(config.sd_darts, inputs)
    if config.dna is None or not isinstance(inputs, SearchInputs):
        return config, inputs
    resolved = _decide(config, config.dna, inputs, folder, console)
    # A copy, since the data set that `inputs` has opened need not be opened again.
    return resolved, inputs.model_copy(update={"features": resolved.features})


def _check_halves(config: SdDartsConfig, inputs: UnitInputs) -> None:
    """Hold the space and the batches to the images, before anything is trained.

    Raises:
        UserError: The space does not fit the images, a half of these is smaller than a batch, or the search ends
            before its first snapshot.
    """
    _ = inputs.space
    half = inputs.summary.num_train // 2
    if half < config.batch_size:
        raise UserError(
            f"sd_darts trains on halves of the training images, which must hold a batch of {config.batch_size} each, "
            f"got {half}: lower batch_size or raise data.num_train_images"
        )
    teachers, num_steps = (
        config.teachers,
        config.epochs * -(-(inputs.summary.num_train - half) // config.batch_size),
    )
    if teachers is not None and teachers.unit == "step" and teachers.every >= num_steps:
        raise UserError(
            f"self_distillation.every must be less than the {num_steps} steps of the search, got {teachers.every}: no "
            "snapshot would ever speak; lower it, or set self_distillation to null, which is plain DARTS"
        )


def _decide(
    config: ExperimentConfig,
    dna: BlockWiseConfig,
    inputs: SearchInputs,
    folder: RunFolder,
    console: Console,
) -> ExperimentConfig:
    """The config with its features' mode decided per block, and all parts checked against each other."""
    inputs.space.check_listable()
    num_blocks = len(inputs.space.blocks)
    _check_per_block("features.mode", config.features.mode, num_blocks)
    _check_per_block(f"searches.{config.searches.index(dna)}.lr", dna.lr, num_blocks)
    check_num_batches(dna.rating.num_batches, inputs.summary.num_held_out)
    check_budgets(config.budgets, inputs.space)
    teacher = _tried_teacher(inputs, console)
    check_shapes(teacher, inputs.space)
    _check_taught_classes(config, inputs)
    if config.features.mode == "auto" and folder.config.is_file():
        previous = folder.read_config()
        resolved = _with_modes(config, previous.features.mode)
        if not previous.differences(resolved):
            return resolved
    modes = config.features.mode
    if modes == "auto":
        modes = _choose(config, dna.epochs, inputs, teacher)
    elif isinstance(modes, str):
        modes = (modes,) * num_blocks
    _check_views(config, modes)
    return _with_modes(config, modes)


def _tried_teacher(inputs: SearchInputs, console: Console) -> CutTeacher:
    """The teacher, cut, which keeps to what its units rely on."""
    tried = try_teacher(inputs)
    console.print(str(tried), soft_wrap=True)
    judge_at_hand(inputs, tried.model)
    assert tried.teacher is not None
    return tried.teacher


def check_budgets(budgets: Mapping[str, float], space: SearchSpace) -> None:
    """Hold the budgets to what the space's architectures cost, before anything is trained.

    Raises:
        UserError: A budget is of no known cost or of one that cannot be counted, or no architecture keeps it, or all
            of them.
    """
    costs = (NUM_PARAMS, NUM_MACS, LATENCY_MS)
    for name in budgets:
        if name not in costs:
            raise UserError(f"budgets must be of {', '.join(costs)}, got {name}")
    known = {
        name: limit for name, limit in budgets.items() if name != LATENCY_MS
    }  # which is yet to be measured
    if not known:
        return
    tables = space.candidate_tables()
    if NUM_MACS in known:
        check_counted(tables, f"budgets.{NUM_MACS}")
    check_meetable(tables, known)


def check_shapes(teacher: CutTeacher, space: SearchSpace) -> None:
    """Hold each block's output to the teacher's at the same cut.

    Raises:
        UserError: Height or width differ somewhere, or there is not a token for each place; numbers of channels need
            not agree, since adapters see to them.
    """
    for block, shape in enumerate(teacher.feature_shapes[1:]):
        _, height, width = space.block_output_shape(block, space.blocks[block].widths[0])
        if not can_be_adapted(shape, (height, width)):
            raise UserError(
                f"block {block} of the space puts out {height}x{width}, but the teacher's features at cut {block} are "
                f"{describe(shape)}: move teacher.cuts or change the block's stride"
            )


def check_measured(config: ExperimentConfig, folder: RunFolder) -> None:
    """Refuse a search whose ranking needs latencies that are not measured, before anything is trained for it.

    A search does not measure by itself: it may run on a cluster, on other devices than the network is for, and among
    neighbours; and what it leaves depends on its config alone.

    Raises:
        UserError: There is a budget of latency and no measurement.
    """
    if LATENCY_MS in config.budgets and not has_latencies(folder.path):
        raise UserError(
            f"budgets.{LATENCY_MS} needs a measurement, and {folder.path} has none yet: search with --stages "
            f"ratings, measure by `nasray latency {folder.path}` on the device that the networks are for, and repeat "
            "this command"
        )


def _check_taught_classes(config: ExperimentConfig, inputs: SearchInputs) -> None:
    """Refuse a teacher of other classes than the data's as one of answers.

    Raises:
        UserError: It is to be one.
    """
    taught = None if config.retrain is None else config.retrain.distillation
    num_classes = inputs.teacher.num_classes
    if taught is not None and taught.logits and num_classes not in (None, inputs.summary.num_classes):
        raise UserError(
            f"retrain.distillation.logits must be 0 where the teacher's classes, {num_classes}, are not the data's "
            f"{inputs.summary.num_classes}; its features may teach: retrain.distillation.features"
        )


def _choose(
    config: ExperimentConfig, epochs: int, inputs: SearchInputs, teacher: CutTeacher
) -> tuple[Mode, ...]:
    """The faster mode of each block; fresh augmentation needs the teacher online."""
    num_blocks = len(inputs.space.blocks)
    if _fresh_augmentation(config):
        return tuple("online" for _ in range(num_blocks))
    macs = prefix_macs(teacher)
    speeds = measure_speeds(teacher, macs[-1], inputs.features_root, config.compute)
    bytes_per_image = feature_bytes(teacher.feature_shapes, config.features)
    return choose_modes(bytes_per_image, macs, sum(inputs.feature_rows.values()), epochs, speeds)


def _with_modes(config: ExperimentConfig, modes: object) -> ExperimentConfig:
    return config.model_copy(update={"features": config.features.model_copy(update={"mode": modes})})


def _with_rated_views(config: ExperimentConfig) -> ExperimentConfig:
    """The config with as many views of held-out images as its search's rating compares."""
    compared = isinstance(config.dna, SelfSupervisionConfig) and config.dna.rated_views == "two"
    views = 2 if compared else 0
    if config.features.held_out_views not in (0, views):
        raise UserError(
            f"features.held_out_views must be left out, or be {views}, as many as this search's rating compares, got "
            f"{config.features.held_out_views}"
        )
    return config.model_copy(
        update={"features": config.features.model_copy(update={"held_out_views": views})}
    )


def _check_views(config: ExperimentConfig, modes: Sequence[Mode]) -> None:
    if config.features.views and config.data.augment is None:
        raise UserError(
            f"features.views must be 0 or left out where data.augment is not given, got {config.features.views}"
        )
    if isinstance(config.dna, SelfSupervisionConfig):
        if config.data.augment is None:
            raise UserError(
                "data.augment must be given for a search of the method dna_plus_plus, which compares views"
            )
        if config.features.views is not None and config.features.views < 2:
            raise UserError(
                "features.views must be at least 2 for a search of the method dna_plus_plus, or left out for fresh "
                f"ones, got {config.features.views}"
            )
    if "cached" in modes and _fresh_augmentation(config):
        raise UserError(
            "features.views must be a number (0 for plain images) where data.augment is given and features.mode is "
            "cached: a cache cannot hold fresh augmentation"
        )


def _fresh_augmentation(config: ExperimentConfig) -> bool:
    return config.data.augment is not None and config.features.views is None


def _check_per_block(key: str, value: object, num_blocks: int) -> None:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) != num_blocks:
        raise UserError(
            f"{key} must be one value or one for each of the {num_blocks} blocks, got {len(value)}"
        )
