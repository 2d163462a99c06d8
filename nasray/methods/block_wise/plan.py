"""Units of a block-wise search: each cell's training and rating."""

from collections.abc import Iterator, Sequence

from nasray.inputs.units import data_units, macs_of_teacher
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.artefacts.columns import CELL, NUM_MACS
from nasray.search_spaces.chain.block import Cell
from nasray.trainables.block_wise.units.cell import BlockSpec, RatingSpec, RatingTableSpec
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.block_wise.units.refinement import RefinementSpec
from nasray.trainables.block_wise.units.seeds import SeedTableSpec
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_wise import BlockWiseConfig


def rating_units(config: BlockWiseConfig, folder: RunFolder, inputs: SearchInputs) -> Iterator[Unit]:
    """Training and rating of every cell of every block."""
    teacher_macs = macs_of_teacher(inputs)
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
        yield Unit(spec, data_units(inputs, target.block), cost=len(candidates))


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
    name, needs = _supernet_name(target), data_units(inputs, block)
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


def num_rows(inputs: SearchInputs, target: CellTarget) -> int:
    """The rows of a cell's table of ratings: one per candidate and width at which the cell may be entered."""
    space, block = inputs.space, target.block
    return len(space.entry_widths(block)) * space.blocks[block].cell(target.cell).num_candidates
