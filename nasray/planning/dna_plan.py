"""The units of a block-wise search: the teacher, its features, and each cell's training and rating."""

from collections.abc import Iterator, Sequence

from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.artefacts.columns import CELL, NUM_MACS
from nasray.search_spaces.chain.block import Cell
from nasray.trainables.block_wise.units.cell import BlockSpec, CellTarget, RatingSpec, RatingTableSpec
from nasray.trainables.block_wise.units.refinement import RefinementSpec
from nasray.trainables.block_wise.units.seeds import SeedTableSpec
from nasray.trainables.features.choice import prefix_macs
from nasray.trainables.features.units import FeatureManifestSpec, FeatureShardSpec
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_wise import BlockWiseConfig
from nasray.trainables.settings.features import num_shards
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.teacher.untrained import untrained_teacher


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


def rating_units(config: BlockWiseConfig, folder: RunFolder, inputs: SearchInputs) -> Iterator[Unit]:
    """Training and rating of every cell of every block."""
    teacher_macs = _teacher_macs(inputs)
    for block, space in enumerate(inputs.space.blocks):
        for cell in space.cells:
            yield from _cell_units(config, folder, inputs, block, cell, teacher_macs[block])


def cell_targets(config: BlockWiseConfig, folder: RunFolder, inputs: SearchInputs) -> Iterator[CellTarget]:
    """Every cell of every block with its first supernet, and where its results lie."""
    for block, space in enumerate(inputs.space.blocks):
        for cell in space.cells:
            yield _target(config, folder, block, cell.name)


def refinement_units(
    folder: RunFolder,
    inputs: SearchInputs,
    target: CellTarget,
    candidates: Sequence[tuple[int, str]],
    batches: range,
) -> Iterator[Unit]:
    """The rating of some candidates of a trained cell on further held-out batches, for each of its supernets.

    Args:
        folder: The run's folder.
        inputs: What all units share.
        target: The cell.
        candidates: The width at which each is entered, and its text.
        batches: The numbers of the batches.
    """
    for one in target.seeds:
        name = f"{_supernet_name(one)}/rating/batches_{batches.start}-{batches.stop}"
        spec = RefinementSpec(
            name=name,
            folder=folder.unit(name),
            inputs=inputs,
            target=one,
            candidates=tuple(candidates),
            first_batch=batches.start,
            end_batch=batches.stop,
        )
        yield Unit(spec, _data_units(inputs, target.block), cost=len(candidates))


def _target(config: BlockWiseConfig, folder: RunFolder, block: int, cell: str) -> CellTarget:
    return CellTarget(
        block=block,
        cell=cell,
        config=config,
        folder=folder.unit(_name(block, cell)),
        table=folder.table(block, cell),
    )


def _name(block: int, cell: str) -> str:
    """The name of a cell's unit."""
    return f"block_{block}/{cell}"


def _supernet_name(target: CellTarget) -> str:
    """The name of the unit that trains a supernet: the cell's, of further ones with the seed."""
    name = _name(target.block, target.cell)
    return f"{name}/seed_{target.training_seed}" if target.training_seed else name


def _data_units(inputs: SearchInputs, block: int) -> tuple[str, ...]:
    """Names of the units whose results a block's work reads."""
    cached = inputs.features.modes[block] == "cached"
    return ("features/train", "features/held_out") if cached else (teacher_unit(inputs).name,)


def _teacher_macs(inputs: SearchInputs) -> list[int]:
    """Per block, what the teacher adds to the work on an image: its part up to there, where features are not cached."""
    modes = inputs.features.modes
    if "online" not in modes:
        return [0] * len(modes)
    macs = prefix_macs(untrained_teacher(inputs))
    return [some if mode == "online" else 0 for some, mode in zip(macs, modes, strict=True)]


def _cell_units(
    config: BlockWiseConfig,
    folder: RunFolder,
    inputs: SearchInputs,
    block: int,
    cell: Cell,
    teacher_macs: int,
) -> Iterator[Unit]:
    """A cell's training with its rating, for each of its supernets; of several, the joining of their tables."""
    name, target = _name(block, cell.name), _target(config, folder, block, cell.name)
    units = [
        unit for one in target.seeds for unit in _supernet_units(folder, inputs, one, cell, teacher_macs)
    ]
    yield from units
    if len(target.seeds) > 1:
        joined = f"{name}/rating/seeds"
        spec = SeedTableSpec(name=joined, folder=folder.unit(joined), inputs=inputs, target=target)
        yield Unit(spec, tuple(unit.name for unit in units))


def _supernet_units(
    folder: RunFolder, inputs: SearchInputs, target: CellTarget, cell: Cell, teacher_macs: int
) -> Iterator[Unit]:
    """A supernet's training with its rating; where there are many candidates, parts of the rating and their joining."""
    block, config = target.block, target.config
    name, needs = _supernet_name(target), _data_units(inputs, block)
    num_entries = len(inputs.space.entry_widths(block))
    whole = num_entries * cell.num_candidates <= config.rating.max_candidates_per_unit
    training, rating = _work(config, inputs, block, cell, teacher_macs)
    block_spec = BlockSpec(name=name, folder=folder.unit(name), inputs=inputs, target=target, rate=whole)
    yield Unit(block_spec, needs, cost=training + (rating if whole else 0))
    if whole:
        return
    parts = [f"{name}/rating/{subtree}" for subtree in range(num_entries * len(cell.operations[0]))]
    for subtree, part in enumerate(parts):
        rating_spec = RatingSpec(
            name=part, folder=folder.unit(part), inputs=inputs, target=target, subtree=subtree
        )
        yield Unit(rating_spec, (name, *needs), cost=rating / len(parts))
    joined = f"{name}/rating"
    table_spec = RatingTableSpec(
        name=joined, folder=folder.unit(joined), inputs=inputs, target=target, num_subtrees=len(parts)
    )
    yield Unit(table_spec, tuple(parts))


def _work(
    config: BlockWiseConfig, inputs: SearchInputs, block: int, cell: Cell, teacher_macs: int
) -> tuple[float, float]:
    """Estimated multiply-accumulates of a cell's training and of its rating, to start the longest units first.

    A training step costs three forward passes beside the teacher's; a rating's prefix tree has, per candidate, little
    more than one layer.
    """
    table = inputs.space.candidate_table(block)
    macs = table.loc[table[CELL] == cell.name, NUM_MACS]
    training = config.epochs * inputs.summary.num_train * (3.0 * macs.mean() + teacher_macs)
    share = config.rating.num_first_batches / config.rating.num_batches
    rated_images = inputs.summary.num_held_out * share + config.rating.calibration_images
    return training, macs.sum() / cell.depth * rated_images
