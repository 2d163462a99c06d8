"""Inputs that all units of an experiment share."""

from pathlib import Path

from nasray.run.folder import RunFolder
from nasray.run.origins import Origins
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.settings.teacher import is_checkpoint


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
    if not config.needs_teacher or teacher is None:
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
