"""Decisions left open by a config, and the refusal of what cannot fit together, before a launch."""

import shlex
from collections.abc import Mapping

from rich.console import Console

from nasray.analysis.tables.measured_costs import is_measured
from nasray.errors import UserError
from nasray.inputs.feature_modes import with_feature_modes
from nasray.inputs.fit import check_shapes, tried_teacher
from nasray.inputs.shared import identified, planned_inputs
from nasray.methods.method import methods_of
from nasray.planning.meetable_budgets import check_meetable
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import NUM_MACS
from nasray.search_spaces.artefacts.costs import COSTS, measured_costs
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.uncounted import check_counted
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.trials.operation_trial import try_operations


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
    for search, method in methods_of(config):
        config = method.adjusted(search, config)
    inputs = planned_inputs(config, folder)
    config, inputs = _resolved(config, inputs, folder, console or Console(quiet=True))
    # Last, since reading all of the data set may take long.
    if not planned or (folder.config.is_file() and inputs.summary.found):
        inputs = identified(inputs, folder)
    return config, inputs


def _resolved(
    config: ExperimentConfig, inputs: UnitInputs, folder: RunFolder, console: Console
) -> tuple[ExperimentConfig, UnitInputs]:
    """The config with its features' mode decided per block, all parts checked, and the inputs with that decision."""
    if isinstance(inputs.space, SearchSpace):
        tried = try_operations(inputs.space)
        if tried is not None:
            console.print(tried, soft_wrap=True)
        if config.ranks:
            inputs.space.check_listable()
        check_budgets(config.budgets, inputs.space)
    for search, method in methods_of(config):
        method.check(search, config, inputs)
    if not isinstance(inputs, SearchInputs):
        return config, inputs
    teacher = tried_teacher(inputs, console)
    check_shapes(teacher, inputs.space)
    _check_taught_classes(config, inputs)
    for search, method in methods_of(config):
        method.check_teacher(search, config, teacher)
    num_passes = max(method.num_passes(search) for search, method in methods_of(config))
    resolved = with_feature_modes(config, num_passes, inputs, teacher, folder)
    # A copy, since the data set that `inputs` has opened need not be opened again.
    return resolved, inputs.model_copy(update={"features": resolved.features})


def check_budgets(budgets: Mapping[str, float], space: SearchSpace) -> None:
    """Hold the budgets to what the space's architectures cost, before anything is trained.

    Raises:
        UserError: A budget is of no known cost or of one that cannot be counted, or no architecture keeps it, or all
            of them.
    """
    for name in budgets:
        if name not in COSTS:
            raise UserError(f"budgets must be of {', '.join(COSTS)}, got {name}")
    # Others are yet to be measured.
    known = {name: limit for name, limit in budgets.items() if COSTS[name].counter is not None}
    if not known:
        return
    tables = space.candidate_tables()
    if NUM_MACS in known:
        check_counted(tables, f"budgets.{NUM_MACS}")
    check_meetable(tables, known)


def check_measured(config: ExperimentConfig, folder: RunFolder) -> None:
    """Refuse a search whose ranking needs costs that are not measured, before anything is trained for it.

    A search does not measure by itself: it may run on a cluster, on other devices than the network is for, and among
    neighbours; and what it leaves depends on its config alone.

    Raises:
        UserError: There is a budget of such a cost and no measurement.
    """
    for cost, measurement in measured_costs().items():
        if cost.name in config.budgets and not is_measured(folder.path, measurement):
            path = shlex.quote(str(folder.path))
            raise UserError(
                f"budgets.{cost.name} needs a measurement, and {folder.path} has none yet: search with --stages "
                f"ratings, measure by `nasray {measurement.command} {path}` on the device that the networks are for, "
                "and repeat this command"
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
            f"{inputs.summary.num_classes}, but its features may teach: set retrain.distillation.logits=0 and "
            "retrain.distillation.features=1, say"
        )
