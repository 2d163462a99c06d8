"""Rating, after a search, what decides the best architectures on more held-out images than all candidates were.

A search with `rating.rated_batches` rates all candidates on some of the held-out batches. Of most of them this tells
that they are not among the best; the others are rated on further batches here, and the ranking is made again, over and
over, until there is nothing that may be among the best and was not. Each step is found from the tables alone, so that
a launch that was interrupted is gone on with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.runs.rank import NUM_LIKELY, ranked_tables
from nasray.analysis.tables.rows import architecture_rows
from nasray.analysis.trust.uncertainty import contenders
from nasray.errors import UserError
from nasray.execution.execution import Execution
from nasray.inputs.shared import unit_inputs
from nasray.inputs.units import FEATURES, TEACHER
from nasray.methods.block_wise.plan import refinement_units
from nasray.methods.method import trained_cells
from nasray.planning.plan import plan_search
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.run.stored_ranking import rank_again
from nasray.scheduling.unit import Unit
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import (
    ARCHITECTURE,
    CANDIDATE,
    CELL,
    IN_CHANNELS,
    RATING,
    RATING_BATCHES,
)
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.block_wise.units.seeds import mean_over_seeds
from nasray.trainables.core.trainable import confirm_output
from nasray.trainables.inputs import SearchInputs

BLOCK, NUM_BATCHES = "block", "num_batches"
_LONGEST = 50_000  # ranked architectures to look at, where so many cannot be told from the best


@dataclass(frozen=True, slots=True)
class Refinement:
    """What a refinement did.

    Attributes:
        top: How many architectures are the best.
        before: The ranking that was there.
        after: The ranking by all ratings that there are now.
        num_rounds: How often candidates were rated further.
        num_refined: How many candidates were, rows of the tables.
        num_ratings: The held-out batches that they were rated on, summed over them.
        num_candidates: How many candidates have a rating.
        num_open: The batches that candidates were not rated on before, summed over all of them.
        end_batch: The number of batches that candidates are rated on in the end.
        lost_evidence: Whether there was evidence for the ranking before, which is not for this one.
    """

    top: int
    before: pd.DataFrame
    after: pd.DataFrame
    num_rounds: int
    num_refined: int
    num_ratings: int
    num_candidates: int
    num_open: int
    end_batch: int
    lost_evidence: bool


def refine(
    run: Path, top: int = NUM_LIKELY, batches: int | None = None, *, console: Console | None = None
) -> Refinement:
    """Rate on further held-out batches those candidates that decide which architectures are the best.

    These are the candidates of the best ones and of those that cannot be told from the last of them, see
    `contenders`. The tables of ratings and the ranking are replaced. The same call again goes on
    where it was interrupted, and does nothing where nothing is left.

    Args:
        run: The folder of a finished run.
        top: How many architectures are the best.
        batches: On how many held-out batches in all these candidates are rated; None: on all there are.
        console: Where to show what runs; None: nowhere.

    Raises:
        UserError: The folder is no run's, has no finished search that trains blocks, or there are not so many batches.
        SearchFailedError: Ratings failed.
    """
    if top < 1:
        raise UserError(f"top must be at least 1, got {top}")
    folder = RunFolder(run.absolute())
    config = folder.reopen()
    if not any(declaration.trains_cells for _, declaration in config.declared):
        raise UserError(
            f"RUN must hold a search whose candidates are rated by trained blocks, such as dna; {folder.path} has none"
        )
    inputs = unit_inputs(config, folder)
    assert isinstance(inputs, SearchInputs)
    cells = trained_cells(config, folder, inputs)
    end_batch = _end_batch(cells, batches)
    with (
        folder.locked(),
        Execution(config, folder, Tracker(config, folder), console or Console(quiet=True)) as execution,
    ):
        before = rank_again(config, folder)
        had_evidence = folder.agreement.exists()
        tables = ranked_tables(folder.path, config.ranking.by)
        candidates = rated_candidates(tables)
        refined = []
        while len(wanted := undecided(tables, config, top, end_batch)):
            _rate(wanted, config, folder, end_batch, execution)
            refined.append(wanted)
            tables = ranked_tables(folder.path, config.ranking.by)
        after = rank_again(config, folder)
        leave_report(folder)
    return Refinement(
        top=top,
        before=before,
        after=after,
        num_rounds=len(refined),
        num_refined=sum(map(len, refined)),
        num_ratings=sum(_num_open(wanted, end_batch) for wanted in refined),
        num_candidates=len(candidates),
        num_open=_num_open(candidates, end_batch),
        end_batch=end_batch,
        lost_evidence=had_evidence and not folder.agreement.exists(),
    )


def _end_batch(cells: Sequence[CellTarget], batches: int | None) -> int:
    """On how many batches candidates are rated in the end.

    Raises:
        UserError: There are not so many batches, or fewer than were rated at first.
    """
    rating = cells[0].config.rating
    if batches is None:
        return rating.num_batches
    if not rating.num_first_batches <= batches <= rating.num_batches:
        raise UserError(
            f"batches must be from {rating.num_first_batches}, on which all candidates are rated, to "
            f"{rating.num_batches}, into which the held-out images are cut, got {batches}"
        )
    return batches


def undecided(
    tables: Sequence[pd.DataFrame], config: ExperimentConfig, top: int, end_batch: int
) -> pd.DataFrame:
    """The candidates that may decide the best architectures and are rated on fewer batches than they could be.

    Args:
        tables: The ratings of each block that are ranked by.
        config: Its budgets, and how far its ranking goes.
        top: How many architectures are the best.
        end_batch: The number of batches that candidates are rated on in the end.

    Returns:
        A frame with the columns block, cell, in_channels, candidate, and num_batches that it is rated on.
    """
    length = max(config.ranking.top, 10 * top)
    while True:
        ranking = top_architectures(
            tables, config.budgets, length, time_limit_seconds=config.ranking.time_limit_seconds
        )
        listed = contenders(ranking, tables, top)
        # Farther down they are ever rarer: where the second half has none, all are found but for chance.
        if len(ranking) < length or length >= _LONGEST or not listed[length // 2 :].any():
            break
        length *= 4
    rows = architecture_rows(list(ranking[ARCHITECTURE][listed]), tables)
    chosen = [table.iloc[sorted(set(places))] for table, places in zip(tables, rows, strict=True)]
    candidates = rated_candidates(chosen)
    return candidates[candidates[NUM_BATCHES] < end_batch]


def rated_candidates(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rated candidates of all blocks, with the columns that `undecided` gives."""
    frames = []
    for block, table in enumerate(tables):
        rated = table[table[RATING].notna()]
        frame = rated[[CELL, IN_CHANNELS, CANDIDATE]].copy()
        frame[BLOCK], frame[NUM_BATCHES] = block, rated[RATING_BATCHES].map(len)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _num_open(candidates: pd.DataFrame, end_batch: int) -> int:
    """The batches that candidates are not rated on, summed over them."""
    return int((end_batch - candidates[NUM_BATCHES]).clip(lower=0).sum())


def _rate(
    wanted: pd.DataFrame, config: ExperimentConfig, folder: RunFolder, end_batch: int, execution: Execution
) -> None:
    """Rate candidates further, and put their ratings into the tables."""
    inputs = unit_inputs(config, folder)
    assert isinstance(inputs, SearchInputs)
    targets = {(target.block, target.cell): target for target in trained_cells(config, folder, inputs)}
    refinements = []
    for _, rows in wanted.groupby([BLOCK, CELL, NUM_BATCHES]):
        shared = rows.iloc[0]
        target, batches = targets[shared[BLOCK], shared[CELL]], range(shared[NUM_BATCHES], end_batch)
        _check_trained(target)
        candidates = list(zip(rows[IN_CHANNELS].tolist(), rows[CANDIDATE], strict=True))
        refinements.append((target, list(refinement_units(folder, inputs, target, candidates, batches))))
    plan = plan_search(config, folder, inputs)
    units = [unit for _, of_cell in refinements for unit in of_cell]
    execution.run_missing([*plan[TEACHER], *plan[FEATURES], *units], units)
    _merge(refinements)
    for unit in (unit for stage in plan.values() for unit in stage):
        for table in {target.table for target, _ in refinements}.intersection(unit.spec.outputs):
            confirm_output(unit.spec.folder, table)


def _check_trained(target: CellTarget) -> None:
    missing = [one.weights for one in target.seeds if not one.weights.is_file()]
    if missing:
        raise UserError(
            f"cells that are rated further must have their weights, {target.cell} of block {target.block} has no "
            f"{missing[0]}: remove {target.table} and search again with the command that started it"
        )


def _merge(refinements: Sequence[tuple[CellTarget, Sequence[Unit]]]) -> None:
    """Put what units rated into the tables of their cells, each table whole or not at all."""
    tables: dict[Path, pd.DataFrame] = {}
    for target, units in refinements:
        table = tables[target.table] if target.table in tables else rating_table.read(target.table)
        more = mean_over_seeds([rating_table.read(path) for unit in units for path in unit.spec.outputs])
        tables[target.table] = rating_table.extend(table, more)
    for path, table in tables.items():
        rating_table.write(table, path)
