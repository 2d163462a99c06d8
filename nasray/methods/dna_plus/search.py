"""The search in generations: each is a search of its own, and what it found teaches the next."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
from rich.console import Console

from nasray.errors import UserError
from nasray.inputs.fit import check_shapes
from nasray.inputs.shared import planned_inputs, unit_inputs
from nasray.methods.dna_plus.generation import generation_config
from nasray.methods.dna_plus.settings import DnaPlusConfig
from nasray.methods.dna_plus.table import (
    best_generation,
    ended_by,
    generation_row,
    generations_table,
    leave_generations,
)
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.search_spaces.artefacts.columns import (
    ARCHITECTURE,
    HELD_OUT_ACCURACY,
    NUM_MACS,
    NUM_PARAMS,
    TEST_ACCURACY,
)
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.teacher.untrained import untrained_teacher


def search_generations(
    settings: DnaPlusConfig, config: ExperimentConfig, console: Console, run: Callable[..., Any]
) -> Any:
    """Search, let what was found teach, and search again, until too little is gained or there were enough.

    What an earlier launch left is kept, generation by generation and unit by unit, as `search` keeps it.

    Args:
        settings: How many generations there may be.
        config: The whole config.
        console: Where to show what runs.
        run: Runs one search: `nasray.pipeline.stages.search_in_stages`.

    Returns:
        The result of the best generation, in the folder of all, with the table `generations`.

    Raises:
        UserError: A mistake in the config, the data, or one of the folders.
        SearchFailedError: Units failed.
    """
    start = time.monotonic()
    _check_teachers(config)
    folder = RunFolder.of(config)
    folder.refresh()
    folder.check(config)
    inputs = unit_inputs(config, folder)
    _check_same_order(config, folder)
    with folder.locked():
        table, results = _search_all(settings, config, folder, inputs, console, run)
        _log(config, folder, table)
    number = best_generation(table)
    console.print(f"Generation {number} is the best, of which the following tells:", soft_wrap=True)
    return replace(
        results[number - 1],
        folder=folder.path,
        tables={"generations": table},
        num_units_run=sum(result.num_units_run for result in results),
        seconds=time.monotonic() - start,
        leaves_out=any(result.leaves_out for result in results),
    )


def _check_same_order(config: ExperimentConfig, folder: RunFolder) -> None:
    """Refuse another order of architectures than that of the generations that there are: others would have taught.

    Raises:
        UserError: Budgets, or what is ranked by, differ.
    """
    if not folder.config.is_file():
        return
    before = folder.read_config()
    for key, here, there in (
        ("budgets", config.budgets, before.budgets),
        ("ranking.by", config.ranking.by, before.ranking.by),
    ):
        if here != there:
            raise UserError(
                f"{key} must be {there}, as in the generations that {folder.path} holds, got {here}: search under "
                "a name of its own (name=...), or rank one of them anew by `nasray rank`"
            )


def _check_teachers(config: ExperimentConfig) -> None:
    """Refuse what later generations would fail by, before the first one runs.

    Raises:
        UserError: A scaled architecture cannot be built, or cannot teach the space's blocks.
    """
    first = generation_config(config, 1)
    largest = str(_inputs(first).space.largest())
    inputs = _inputs(generation_config(config, 2, largest))
    check_shapes(untrained_teacher(inputs), inputs.space)


def _inputs(config: ExperimentConfig) -> SearchInputs:
    inputs = planned_inputs(config, RunFolder.of(config))
    assert isinstance(inputs, SearchInputs)
    return inputs


def _search_all(
    settings: DnaPlusConfig,
    config: ExperimentConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    console: Console,
    run: Callable[..., Any],
) -> tuple[pd.DataFrame, list[Any]]:
    """The table of the generations, which is left in the folder after each, and their results."""
    rows: list[dict[str, Any]] = []
    results: list[Any] = []
    parent, before = None, None
    while True:
        number = len(rows) + 1
        own = generation_config(config, number, parent)
        console.print(f"Generation {number} of {settings.generations} at most", soft_wrap=True)
        result = run(load_config(own.model_dump(mode="json")), None, console)
        here = RunFolder(result.folder)
        # Not before: a config that the first generation refuses shall leave nothing.
        folder.claim(config, inputs, {})
        if result.num_units_run or not folder.environment.exists():
            folder.record_environment(config.seed)
        rows.append(generation_row(own, here, before))
        results.append(result)
        table = generations_table(rows)
        leave_generations(folder, table, settings)
        leave_report(folder)
        if ended_by(table, settings) is not None:
            return table, results
        parent, before = rows[-1][ARCHITECTURE], here


def _log(config: ExperimentConfig, folder: RunFolder, table: pd.DataFrame) -> None:
    """Log a run for the generations as a whole, beside those of each."""
    best = table.iloc[best_generation(table) - 1]
    names = (HELD_OUT_ACCURACY, TEST_ACCURACY, NUM_PARAMS, NUM_MACS)
    metrics = {"num_generations": float(len(table)), "best_generation": float(best["generation"])}
    metrics |= {f"best_{name}": float(best[name]) for name in names}
    outcomes = [folder.generations, folder.generations_figures]
    Tracker(config, folder).log_result(metrics, outcomes)
