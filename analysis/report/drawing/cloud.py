"""Many points on a chart: each by itself while they are few, else how many lie where."""

from collections.abc import Callable

import pandas as pd

from nasray.analysis.report.drawing.chart import Chart

MOST_POINTS = 1200


def draw_cloud(
    chart: Chart, frame: pd.DataFrame, x: str, y: str, role: str, tell: Callable[[pd.DataFrame], list[str]]
) -> None:
    """Draw a point per row, or beyond `MOST_POINTS` hexagons, the darker the more points lie in them.

    Args:
        chart: What to draw on.
        frame: Has the columns `x` and `y`.
        x: The column that stands on the horizontal axis.
        y: The column that stands on the vertical axis.
        role: What the points are, in words of the palette.
        tell: Gives the texts of the rows of a frame, which show when their points are pointed at.
    """
    xs, ys = frame[x].tolist(), frame[y].tolist()
    if len(frame) <= MOST_POINTS:
        chart.points(xs, ys, role, tips=tell(frame), radius=2.2)
    else:
        chart.density(xs, ys)
