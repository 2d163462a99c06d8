"""Many points on a chart: each by itself while they are few, else how many lie in each small rectangle."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.report.chart import Chart

MOST_POINTS = 1200
_NUM_COLUMNS, _NUM_ROWS = 48, 32
_FAINTEST = 0.15


def draw_cloud(
    chart: Chart, frame: pd.DataFrame, x: str, y: str, role: str, tell: Callable[[pd.DataFrame], list[str]]
) -> None:
    """Draw a point per row, or beyond `MOST_POINTS` rectangles, the darker the more points lie in them.

    Args:
        chart: What to draw on.
        frame: Has the columns `x` and `y`.
        x: The column that stands on the horizontal axis.
        y: The column that stands on the vertical axis.
        role: The marks' class in the style sheet.
        tell: Gives the texts of the rows of a frame, which show when their points are pointed at.
    """
    xs, ys = frame[x], frame[y]
    if len(frame) <= MOST_POINTS:
        chart.points(xs.tolist(), ys.tolist(), role, tips=tell(frame), radius=2.2)
        return
    counts, columns, rows = np.histogram2d(xs.to_numpy(float), ys.to_numpy(float), (_NUM_COLUMNS, _NUM_ROWS))
    shades = _FAINTEST + (1 - _FAINTEST) * np.log1p(counts) / np.log1p(counts.max())
    for column, row in np.argwhere(counts > 0):
        chart.box(
            (columns[column], columns[column + 1]),
            (rows[row], rows[row + 1]),
            role,
            tip=f"{int(counts[column, row]):,} here",
            opacity=float(shades[column, row]),
        )
