"""The plan of an experiment: its units of work by stage, and the tables of ratings that they leave."""

from pathlib import Path

from nasray.inputs.units import FEATURES, TEACHER, feature_units, teacher_unit
from nasray.methods.method import methods_of
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.inputs import SearchInputs, UnitInputs


def plan_search(config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> dict[str, list[Unit]]:
    """The units of each stage: the teacher and its features where a search learns from one, then each search's own."""
    plan: dict[str, list[Unit]] = {}
    if isinstance(inputs, SearchInputs):
        taught = None if config.retrain is None else config.retrain.distillation
        plan[TEACHER] = [teacher_unit(inputs, keep_epochs=taught is not None and taught.multi_step)]
        plan[FEATURES] = list(feature_units(folder, inputs))
    for search, method in methods_of(config):
        plan |= method.units(search, folder, inputs)
    return plan


def rating_tables(config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs) -> dict[Path, int]:
    """The tables of ratings that the experiment leaves, and how many rows each has."""
    tables: dict[Path, int] = {}
    for search, method in methods_of(config):
        tables |= method.tables(search, folder, inputs)
    return dict(sorted(tables.items()))
