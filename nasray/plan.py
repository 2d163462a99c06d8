"""What a search consists of: its units of work, what each needs, and which are still to be done."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nasray.config import ExperimentConfig
from nasray.run_folder import RunFolder
from nasray.schedule import Unit
from search_spaces import rating_table
from search_spaces.block import Cell
from trainables.block_distillation.trainable import BlockSpec, CellTarget, RatingSpec, RatingTableSpec
from trainables.feature_cache import num_shards
from trainables.feature_units import FeatureManifestSpec, FeatureShardSpec, SplitName
from trainables.inputs import SearchInputs
from trainables.teacher import is_checkpoint
from trainables.teacher_unit import TeacherSpec

TEACHER, FEATURES, RATINGS = "teacher", "features", "ratings"


def search_inputs(config: ExperimentConfig, folder: RunFolder) -> SearchInputs:
    """What all units of the search share, with absolute paths, so that it means the same in every process."""
    features_root = config.storage.features or config.storage.root / "features"
    data, teacher = config.data, config.teacher
    if data.root is not None:
        data = data.model_copy(update={"root": data.root.expanduser().absolute()})
    if is_checkpoint(teacher.weights):
        teacher = teacher.model_copy(update={"weights": str(Path(str(teacher.weights)).absolute())})
    return SearchInputs(
        seed=config.seed,
        data=data,
        teacher=teacher,
        search_space=config.search_space,
        features=config.features,
        compute=config.compute,
        teacher_folder=folder.teacher,
        features_root=features_root.absolute(),
    )


def plan_search(config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs) -> dict[str, list[Unit]]:
    """The units of each stage: the teacher, its features, and the cells' training and rating."""
    return {
        TEACHER: [Unit(TeacherSpec.of(inputs))],
        FEATURES: list(_feature_units(folder, inputs)),
        RATINGS: [
            unit
            for block, space in enumerate(inputs.space.blocks)
            for cell in space.cells
            for unit in _cell_units(config, folder, inputs, block, cell)
        ],
    }


def rating_tables(plan: Mapping[str, Sequence[Unit]]) -> list[Path]:
    """The tables of ratings that the search leaves."""
    specs = (unit.spec for unit in plan[RATINGS])
    return sorted({spec.target.table for spec in specs if isinstance(spec, BlockSpec)})


def still_to_do(units: Sequence[Unit], targets: Sequence[Unit]) -> tuple[list[Unit], set[str]]:
    """The units that must run for the targets' results to be there, and the names of those that need not.

    A unit whose results nobody needs any more does not run, even if they are gone.
    """
    by_name = {unit.name: unit for unit in units}
    wanted: dict[str, Unit] = {}
    open_units = [unit for unit in targets if not unit.spec.is_done]
    while open_units:
        unit = open_units.pop()
        if unit.name in wanted:
            continue
        wanted[unit.name] = unit
        open_units += [by_name[name] for name in unit.needs if not by_name[name].spec.is_done]
    return [unit for unit in units if unit.name in wanted], by_name.keys() - wanted.keys()


def _feature_units(folder: RunFolder, inputs: SearchInputs) -> Iterator[Unit]:
    """Shards and manifest of each split, if any block reads from the cache."""
    if "cached" not in inputs.features.modes:
        return
    num_rows: dict[SplitName, int] = {
        "train": inputs.summary.num_train * inputs.features.num_copies,
        "held_out": inputs.summary.num_held_out,
    }
    for split, rows in num_rows.items():
        names = []
        for shard in range(num_shards(rows, inputs.features)):
            names.append(f"features/{split}/{shard}")
            spec = FeatureShardSpec(
                name=names[-1], folder=folder.unit(names[-1]), inputs=inputs, split=split, shard=shard
            )
            yield Unit(spec, needs=(TEACHER,), cost=min(rows, inputs.features.shard_rows))
        name = f"features/{split}"
        manifest = FeatureManifestSpec(name=name, folder=folder.unit(name), inputs=inputs, split=split)
        yield Unit(manifest, needs=tuple(names))


def _cell_units(
    config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs, block: int, cell: Cell
) -> Iterator[Unit]:
    """A cell's training with its rating; where there are many candidates, parts of the rating and their joining."""
    name = f"block_{block}/{cell.name}"
    target = CellTarget(
        block=block,
        cell=cell.name,
        config=config.dna,
        folder=folder.unit(name),
        table=folder.table(block, cell.name),
    )
    cached = inputs.features.modes[block] == "cached"
    needs = ("features/train", "features/held_out") if cached else (TEACHER,)
    num_entries = len(inputs.space.entry_widths(block))
    whole = num_entries * cell.num_candidates <= config.dna.rating.max_candidates_per_unit
    training, rating = _work(config, inputs, block, cell)
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


def _work(config: ExperimentConfig, inputs: SearchInputs, block: int, cell: Cell) -> tuple[float, float]:
    """Estimated multiply-accumulates of a cell's training and of its rating, to start the longest units first.

    A training step costs three forward passes; a rating's prefix tree has, per candidate, little more than one layer.
    """
    table = inputs.space.candidate_table(block)
    macs = table.loc[table[rating_table.CELL] == cell.name, rating_table.NUM_MACS]
    training = 3.0 * config.dna.epochs * inputs.summary.num_train * macs.mean()
    rated_images = inputs.summary.num_held_out + config.dna.rating.calibration_images
    return training, macs.sum() / cell.depth * rated_images
