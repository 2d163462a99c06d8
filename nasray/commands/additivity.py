"""Measuring, after a search, whether blocks act one by one, as a score that is a sum supposes.

A command of its own and no part of the evidence: it speaks of the method and not of a ranking, so that budgets and
criteria do not change it, and it need not be paid for with every search.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from nasray.analysis.trust.additivity import additivity
from nasray.errors import UserError
from nasray.execution.execution import Execution
from nasray.inputs.shared import unit_inputs
from nasray.methods.method import trained_cells
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.scheduling.unit import Unit
from nasray.search_spaces.files.atomic_file import write_json, write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker
from nasray.trainables.block_wise.units.additivity import AdditivitySpec, read_additivity
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_distillation import RatingConfig

_UNIT = "additivity"


@dataclass(frozen=True, slots=True)
class Additivity:
    """What the measurement gave.

    Attributes:
        swaps: See `nasray.trainables.block_wise.units.additivity.read_additivity`.
        figures: See `nasray.analysis.trust.additivity.additivity`.
    """

    swaps: pd.DataFrame
    figures: dict[str, dict[str, Any]]


def measure_additivity(run: Path, num_draws: int = 30, *, console: Console | None = None) -> Additivity:
    """Swap candidates of a finished run into its teacher, together and alone; leaves table and figures in the folder.

    Args:
        run: The run's folder.
        num_draws: How many swaps for each pair of blocks, and of all blocks at once.
        console: Where to show what runs; None: nowhere.

    Raises:
        UserError: The folder is no run's, has no search of the method dna, or its cells are not all trained.
        SearchFailedError: The measurement failed.
    """
    if num_draws < 1:
        raise UserError(f"pairs must be at least 1, got {num_draws}")
    folder = RunFolder(run.absolute())
    config = folder.reopen()
    spec = _spec(config, folder, num_draws)
    with (
        folder.locked(),
        Execution(config, folder, Tracker(config, folder), console or Console(quiet=True)) as execution,
    ):
        unit = Unit(spec)
        execution.run_missing([unit], [unit])
        swaps = read_additivity(spec.folder)
        found = Additivity(swaps, additivity(swaps))
        write_parquet(folder.additivity, found.swaps)
        write_json(folder.additivity_figures, found.figures)
        leave_report(folder)
    return found


def _spec(config: ExperimentConfig, folder: RunFolder, num_draws: int) -> AdditivitySpec:
    if not any(declaration.imitates_teacher for _, declaration in config.declared):
        raise UserError(
            "RUN must hold a search whose blocks learn to put out what the teacher's do, such as dna, to be swapped; "
            f"{folder.path} has none"
        )
    inputs = unit_inputs(config, folder)
    assert isinstance(inputs, SearchInputs)
    if len(inputs.space.blocks) < 2:
        raise UserError(
            f"the space must have at least two blocks to swap together, {inputs.space.name} has one"
        )
    targets = trained_cells(config, folder, inputs)
    missing = [target.weights for target in targets if not target.weights.is_file()]
    if missing:
        raise UserError(
            f"all cells must be trained, but {len(missing)} of {len(targets)} are not, the first has no {missing[0]}: "
            "finish the search with the command that started it"
        )
    return AdditivitySpec(
        name=_UNIT,
        folder=folder.unit(_UNIT),
        inputs=inputs,
        num_draws=num_draws,
        num_images=targets[0].config.rating.swap_in_images or RatingConfig().swap_in_images,
        targets=targets,
    )
