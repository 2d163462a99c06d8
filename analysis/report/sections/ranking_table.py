"""The section of the best architectures: the head of the ranking as a table."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from nasray.analysis.exact.ranking import RANK
from nasray.analysis.numerals import decimal, quantity, with_error
from nasray.analysis.report.content import Cell, Column, Section, Table, breakable
from nasray.analysis.runs.run import Run
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, SCORE
from nasray.search_spaces.artefacts.costs import cost_kind

NUM_SHOWN = 100
_SCORE_ERROR, _TOP_PROBABILITY, _GROUP, _SHARE_BETTER = "score_se", "top_probability", "group", "share_better"
_OWN_COLUMNS = {RANK, ARCHITECTURE, SCORE, _SCORE_ERROR, _TOP_PROBABILITY, _GROUP, _SHARE_BETTER}
_ACCURACY = "test_accuracy"
_HINTS = {
    RANK: "place among all architectures within the budgets",
    SCORE: "sum of the ratings of its blocks, with its standard error over held-out batches; lower is better",
    _TOP_PROBABILITY: "share of resamples of the held-out images in which it is among the best",
    _GROUP: "architectures of a group cannot be told apart by these held-out images",
    ARCHITECTURE: "a candidate per block: layers x channels: operations",
    _SHARE_BETTER: "share of all architectures within the budgets that are better",
    _ACCURACY: "mean accuracy on the test images over the training seeds, where it was trained for real",
}


def section(run: Run) -> Section | None:
    """The first architectures of the ranking, if there is one."""
    if run.ranking is None:
        return None
    listed = run.ranking.head(NUM_SHOWN).copy()
    if run.retrained_alike is not None:
        means = run.retrained_alike.groupby(ARCHITECTURE)[_ACCURACY].mean()
        if listed[ARCHITECTURE].isin(means.index).any():
            listed[_ACCURACY] = listed[ARCHITECTURE].map(means)
    return Section(
        "ranking",
        "The best architectures",
        "A score is the sum of its blocks' ratings: how far each block's output is from the teacher's. "
        "Lower is better.",
        [_table(listed, len(run.ranking), _hints(run))],
    )


def _hints(run: Run) -> dict[str, str]:
    """What stands above the columns, in which "all" is "all rated" where the ranking leaves others out."""
    if run.coverage is None or run.coverage.is_whole:
        return _HINTS
    return {
        name: hint.replace("all architectures", "all rated architectures") for name, hint in _HINTS.items()
    }


def _table(listed: pd.DataFrame, num_ranked: int, hints: Mapping[str, str]) -> Table:
    columns = [name for name in (RANK, SCORE, _TOP_PROBABILITY, _GROUP) if name in listed]
    columns = [name for name in columns if listed[name].notna().any()]
    columns += [str(name) for name in listed if name not in _OWN_COLUMNS and name != _ACCURACY]
    columns += [name for name in (_ACCURACY, _SHARE_BETTER, ARCHITECTURE) if name in listed]
    starts: frozenset[int] = frozenset()
    caption = f"The first {len(listed):,} of {num_ranked:,} ranked."
    if _GROUP in listed:
        begins = (listed[_GROUP] != listed[_GROUP].shift()).to_numpy().nonzero()[0]
        starts = frozenset(int(row) for row in begins[1:])
        caption += (
            " A line separates groups: within a group, the held-out images cannot tell which is better."
        )
    return Table(
        "Ranking",
        caption,
        [_column(name, hints) for name in columns],
        [[_cell(name, row) for name in columns] for row in listed.to_dict("records")],
        starts,
    )


def _column(name: str, hints: Mapping[str, str]) -> Column:
    headings = {_TOP_PROBABILITY: "P(top)", _SHARE_BETTER: "share better"}
    heading = headings.get(name, cost_kind(name).heading)
    role = ARCHITECTURE if name == ARCHITECTURE else "number"
    return Column(heading, hints.get(name, "sum over the blocks"), role)


def _cell(column: str, row: dict[Hashable, Any]) -> Cell:
    if column == ARCHITECTURE:
        return Cell(breakable(str(row[column])))
    value = float(row[column])
    if column == SCORE:
        error = row.get(_SCORE_ERROR)
        return Cell(with_error(value, None if error is None else float(error), 4), value)
    if column in (RANK, _GROUP):
        return Cell(f"{value:.0f}", value)
    if column in (_TOP_PROBABILITY, _ACCURACY):
        return Cell(decimal(value, 2 if column == _TOP_PROBABILITY else 4), value)
    return Cell(f"{value:.2g}" if column == _SHARE_BETTER else quantity(value), value)
