"""Training architectures by name, after a search."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from nasray.analysis.tables.ratings import load_ratings
from nasray.errors import UserError
from nasray.evidence.evidence import Evidence, gather_evidence
from nasray.evidence.found import read_found
from nasray.evidence.networks import CHOSEN, GROUP
from nasray.evidence.plan import reopen_to_train, retrain_specs, retrain_units
from nasray.evidence.table import evidence_table
from nasray.execution.execution import Execution
from nasray.inputs.shared import unit_inputs
from nasray.inputs.units import teacher_unit
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.settings.evidence import EvidenceConfig
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import SearchInputs, UnitInputs


def retrain(
    run: Path, architectures: Sequence[str], overrides: Sequence[str] = (), *, console: Console | None = None
) -> Evidence:
    """Train architectures of a finished run for real.

    Trained in the way of the run's section `retrain`, they join its evidence. Trained otherwise, for longer say, they
    stand beside it, to be exported; the evidence compares only what was trained alike.

    Args:
        run: The run's folder.
        architectures: IDs or genotypes.
        overrides: Changes to how networks are trained, and to resources, as "a.b=value".
        console: Where to show what runs; None: nowhere.

    Returns:
        The whole evidence, or the architectures alone where they were trained otherwise.

    Raises:
        UserError: The folder is no run's, an architecture is not of its space, or a change would change the search.
        SearchFailedError: Trainings failed.
    """
    folder = RunFolder(run.absolute())
    before = folder.read_config()
    config, settings = reopen_to_train(folder, overrides)
    inputs = unit_inputs(config, folder)
    _check(before, settings, inputs)
    for architecture in architectures:
        inputs.space.cost(architecture)  # tells what is not of the space
    with (
        folder.locked(),
        Execution(config, folder, Tracker(config, folder), console or Console(quiet=True)) as execution,
    ):
        if settings != before.retrain:
            return _train_beside(config, settings, folder, inputs, architectures, execution)
        ranking = rank_again(config, folder) if config.ranks else None
        try:
            return gather_evidence(
                config, folder, inputs, ranking, read_found(config, folder), execution, architectures
            )
        finally:
            leave_report(folder)


def _check(before: ExperimentConfig, settings: EvidenceConfig, inputs: UnitInputs) -> None:
    """Refuse what only a search can do.

    Raises:
        UserError: The changes concern which networks make the evidence, or ask for a teacher's past that was not kept.
    """
    given = before.retrain or EvidenceConfig()
    changed = [
        name for name in ("top", "sample", "stitched") if getattr(settings, name) != getattr(given, name)
    ]
    if changed:
        raise UserError(
            f"retrain.{changed[0]} says which networks make the evidence: change it by `nasray search`, with the "
            "run's own config"
        )
    taught = settings.distillation
    if taught is None or not taught.multi_step or not isinstance(inputs, SearchInputs):
        return
    if not teacher_unit(inputs, keep_epochs=True).spec.is_done:
        raise UserError(
            "retrain.distillation.multi_step needs the teacher's weights after each of its epochs, which were not "
            "kept: run `nasray search` with the run's own config and retrain.distillation.multi_step=true first"
        )


def _train_beside(
    config: ExperimentConfig,
    settings: EvidenceConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    architectures: Sequence[str],
    execution: Execution,
) -> Evidence:
    """Train architectures in another way than the evidence's."""
    trainings = {name: retrain_specs(settings, config, folder, inputs, name) for name in architectures}
    units = list(retrain_units([spec for specs in trainings.values() for spec in specs], inputs))
    execution.run_missing(units, units)
    networks = pd.DataFrame({ARCHITECTURE: list(trainings), GROUP: CHOSEN}, dtype=str)
    tables = load_ratings(folder.path) if config.ranks else []
    return Evidence(evidence_table(networks, trainings, tables, None, inputs), None)
