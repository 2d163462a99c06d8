"""The section of the ratings: what depth, width and operations do to them, block by block."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nasray.analysis.counting.statement import listed
from nasray.analysis.exact.unrated import unrated_in_block
from nasray.analysis.numerals import decimal
from nasray.analysis.report.content import Figure, Key, Section
from nasray.analysis.report.drawing.axis import linear, names
from nasray.analysis.report.drawing.chart import SMALL, Chart, rows_size
from nasray.analysis.report.drawing.cloud import draw_cloud
from nasray.analysis.runs.run import Run
from nasray.search_spaces.artefacts.columns import CANDIDATE, DEPTH, OPERATIONS, RATING, SWAP_IN, WIDTH

_MOST_MARKED = 60  # candidates of a group that are marked one by one
_HALF_HEIGHT = 0.26


def section(run: Run) -> Section | None:
    """The ratings by depth, width and operation, if there are any."""
    if run.ratings is None:
        return None
    rated = run.ratings[run.ratings[RATING].notna()]
    blocks = [(int(str(block)), frame) for block, frame in rated.groupby("block")]
    figures = [
        Figure(
            "Ratings by what candidates are made of",
            "The box holds the middle half of a group's ratings, with the median as a stroke; the thin line leads from "
            "the 5th to the 95th percentile; the mark is the group's best candidate. An operation's group has all "
            "candidates with that operation in at least one layer.",
            [_groups_chart(block, frame) for block, frame in blocks],
            [
                Key("middle half", "all", "area"),
                Key("candidate", "ranked clear"),
                Key("best of its group", "found", "diamond"),
            ],
        )
    ]
    if SWAP_IN in rated and rated[SWAP_IN].notna().any():
        figures.append(
            Figure(
                "Swap-in beside rating",
                "Each candidate, rated by itself and in the teacher, in place of the block that it imitates. "
                "Points on a rising line mean that both put the candidates in the same order.",
                [_swap_in_chart(block, frame[frame[SWAP_IN].notna()]) for block, frame in blocks],
            )
        )
    lead = f"{len(rated):,} candidates are rated in {len(blocks)} blocks; a lower rating is better."
    unrated = [
        one
        for block, frame in run.ratings.groupby("block")
        for one in unrated_in_block(int(str(block)), frame)
    ]
    if unrated:
        lead += f" {len(run.ratings) - len(rated):,} more could not be rated: {listed(unrated)}."
    return Section("ratings", "Ratings by block", lead, figures)


def _groups_chart(block: int, frame: pd.DataFrame) -> Chart:
    groups = list(_groups(frame))
    x = linear("rating (lower is better)", [frame[RATING].min(), frame[RATING].max()])
    chart = Chart(
        f"Block {block}", x, names("", [name for name, _ in groups]), rows_size(len(groups), SMALL[0])
    )
    for place, (name, group) in enumerate(groups):
        ratings = group[RATING].to_numpy()
        least, lower, middle, upper, most = np.percentile(ratings, [5, 25, 50, 75, 95])
        tip = f"{name}: {len(group):,} candidates, median {decimal(middle, 4)}"
        chart.line((least, most), (place, place), "whisker")
        chart.box((lower, upper), (place - _HALF_HEIGHT, place + _HALF_HEIGHT), "all", tip=tip)
        if len(group) <= _MOST_MARKED:
            chart.points(
                ratings.tolist(), [place] * len(group), "ranked clear", tips=_tips(group), radius=1.6
            )
        chart.line((middle, middle), (place - _HALF_HEIGHT, place + _HALF_HEIGHT), "median", tip=tip)
        best = group.nsmallest(1, RATING)
        chart.points(best[RATING].tolist(), [place], "found", tips=_tips(best), shape="diamond", radius=3)
    return chart


def _groups(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The candidates by number of layers, by width and by operation; a property that all share makes no groups."""
    for column, unit in ((DEPTH, "layers"), (WIDTH, "channels")):
        if frame[column].min() < frame[column].max():
            for value, group in frame.groupby(column):
                yield f"{value} {unit}", group
    operations = frame[OPERATIONS].str.split(",")
    for operation in sorted(set(operations.explode())):
        yield operation, frame[[operation in used for used in operations]]


def _swap_in_chart(block: int, frame: pd.DataFrame) -> Chart:
    x = linear("rating (lower is better)", frame[RATING])
    chart = Chart(f"Block {block}", x, linear("swap-in rating (lower is better)", frame[SWAP_IN]))
    draw_cloud(chart, frame, RATING, SWAP_IN, "ranked clear", _tips)
    return chart


def _tips(frame: pd.DataFrame) -> list[str]:
    return [f"{row[CANDIDATE]}\nrating {decimal(row[RATING], 4)}" for row in frame.to_dict("records")]
