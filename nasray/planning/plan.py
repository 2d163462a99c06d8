"""The plan of an experiment: its inputs, its units of work, and the tables that they leave."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nasray.planning.dna_plan import feature_units, rating_units, teacher_unit
from nasray.planning.sd_darts_plan import SD_DARTS, search_unit, study_units
from nasray.run.folder import RunFolder
from nasray.run.origins import Origins
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.settings.teacher import is_checkpoint

TEACHER, FEATURES, RATINGS = "teacher", "features", "ratings"


def unit_inputs(config: ExperimentConfig, folder: RunFolder) -> UnitInputs:
    """What all units of the experiment share, with the data set's identity.

    Raises:
        UserError: The data set is not at hand, or the folder holds a run of other data or another checkpoint.
    """
    return identified(planned_inputs(config, folder), folder)


def identified(inputs: UnitInputs, folder: RunFolder) -> UnitInputs:
    """The inputs with the identity of the data set, held to what the run in the folder was computed from.

    Raises:
        UserError: The data set is not at hand, or the folder holds a run of other data or another checkpoint.
    """
    before = folder.read_origins()
    if before is not None:
        before.check(Origins.of(inputs), folder.path)
    return inputs.identified()


def planned_inputs(config: ExperimentConfig, folder: RunFolder) -> UnitInputs:
    """What all units of the experiment share, but for the data set's identity, with absolute paths.

    So it means the same in every process. `SearchInputs` where a search needs a teacher, plain ones elsewhere.
    """
    features_root = config.storage.features or config.storage.folder / "features"
    data, teacher = config.data, config.teacher
    if data.root is not None:
        data = data.model_copy(update={"root": data.root.expanduser().absolute()})
    shared = {
        "seed": config.seed,
        "data": data,
        "search_space": config.search_space,
        "compute": config.compute,
    }
    if config.dna is None or teacher is None:
        return UnitInputs.model_validate(shared)
    if is_checkpoint(teacher.weights):
        teacher = teacher.model_copy(
            update={"weights": str(Path(str(teacher.weights)).expanduser().absolute())}
        )
    return SearchInputs.model_validate(
        shared
        | {
            "teacher": teacher,
            "features": config.features,
            "teacher_folder": folder.teacher,
            "features_root": features_root.expanduser().absolute(),
        }
    )


def plan_search(config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> dict[str, list[Unit]]:
    """The units of each stage: the teacher, its features, the cells' training and rating; the SD-DARTS search."""
    plan: dict[str, list[Unit]] = {}
    if config.dna is not None and isinstance(inputs, SearchInputs):
        taught = None if config.retrain is None else config.retrain.distillation
        plan[TEACHER] = [teacher_unit(inputs, keep_epochs=taught is not None and taught.multi_step)]
        plan[FEATURES] = list(feature_units(folder, inputs))
        plan[RATINGS] = list(rating_units(config.dna, folder, inputs))
    if config.study is not None:
        plan[SD_DARTS] = list(study_units(config, folder, inputs))
    elif config.sd_darts is not None:
        plan[SD_DARTS] = [search_unit(config.sd_darts, folder, inputs)]
    return plan


def rating_tables(plan: Mapping[str, Sequence[Unit]]) -> dict[Path, int]:
    """The tables of ratings that the search leaves, and how many rows each has."""
    specs = (unit.spec for unit in plan.get(RATINGS, ()))
    rows = {spec.target.table: _num_rows(spec) for spec in specs if isinstance(spec, BlockSpec)}
    return dict(sorted(rows.items()))


def _num_rows(spec: BlockSpec) -> int:
    """A row per candidate of the cell and width at which it may be entered."""
    space, block = spec.inputs.space, spec.target.block
    cells = {cell.name: cell for cell in space.blocks[block].cells}
    return len(space.entry_widths(block)) * cells[spec.target.cell].num_candidates
