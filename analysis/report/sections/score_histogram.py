"""The section of the scores of all architectures: how many have which, and where those of note stand."""

import numpy as np
import pandas as pd

from nasray.analysis.counting.distribution import ScoreDistribution, score_distribution
from nasray.analysis.counting.statement import left_out, ranked
from nasray.analysis.numerals import count, decimal
from nasray.analysis.report.content import Figure, Key, Section
from nasray.analysis.report.drawing.axis import linear, logarithmic
from nasray.analysis.report.drawing.chart import MEDIUM, Chart
from nasray.analysis.report.reference import found, trained
from nasray.analysis.runs.run import Run
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, SCORE

_NUM_BINS = 80


def section(run: Run) -> Section | None:
    """How many of all architectures have which score, if all are rated."""
    covered = run.space_coverage
    if run.tables is None or covered is None:
        return None
    every = "all architectures" if covered.is_whole else "all rated architectures"
    distribution = score_distribution(run.tables, num_bins=_NUM_BINS)
    marks = [
        (frame, text, role, shape)
        for frame, text, role, shape in (
            (trained(run), "trained for real", "trained", "square"),
            (found(run), "found by SD-DARTS", "found", "diamond"),
            (
                None if run.ranking is None else run.ranking.head(1),
                "best of the ranking",
                "front",
                "triangle-down",
            ),
        )
        if frame is not None and SCORE in frame
    ]
    figure = Figure(
        f"Scores of {every}",
        f"Every one of the {ranked(covered, '')} is counted, whatever the budgets{left_out(covered, 'not counted')}. "
        f"One whose score is within {distribution.rounding:.1g} of a bin's edge may be counted in the bin beside. "
        "The vertical axis is logarithmic: each line is a multiple of the one below.",
        [_chart(distribution, marks)],
        [
            Key(every, "all", "area"),
            *(Key(text, role, shape) for _, text, role, shape in marks),
        ],
        is_wide=True,
    )
    return Section(
        "scores", "The whole space", "Where the best, the found and the trained stand among all.", [figure]
    )


def _chart(distribution: ScoreDistribution, marks: list[tuple[pd.DataFrame, str, str, str]]) -> Chart:
    edges = distribution.edges
    counts = distribution.counts
    y = logarithmic("number of architectures", [1.0, *map(float, counts)])
    chart = Chart("", linear("score (lower is better)", edges), y, MEDIUM)
    for low, high, number in zip(edges, edges[1:], counts, strict=False):
        if number > 0:
            tip = f"{count(number)} with a score from {decimal(low, 4)} to {decimal(high, 4)}"
            chart.box((low, high), (y.low, float(number)), "all", tip=tip)
    for frame, text, role, shape in marks:
        scored = frame[frame[SCORE].notna()]
        bins = np.clip(np.searchsorted(edges, scored[SCORE]) - 1, 0, len(counts) - 1)
        heights = [max(float(counts[place]), 1.0) for place in bins]
        tips = [
            f"{text}\n{row[ARCHITECTURE]}\nscore {decimal(row[SCORE], 4)}"
            for row in scored.to_dict("records")
        ]
        chart.points(scored[SCORE].tolist(), heights, role, tips=tips, shape=shape, radius=4)
    return chart
