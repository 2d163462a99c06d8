import numpy as np
import pandas as pd

from nasray.analysis.report.drawing.axis import linear
from nasray.analysis.report.drawing.chart import Chart
from nasray.analysis.report.drawing.cloud import MOST_POINTS, draw_cloud


def drawn(num):
    values = np.random.default_rng(0).random((num, 2))
    chart = Chart("", linear("", [0, 1]), linear("", [0, 1]))
    draw_cloud(
        chart, pd.DataFrame(values, columns=["x", "y"]), "x", "y", "ranked", lambda rows: ["tip"] * len(rows)
    )
    return chart.markup()


def test_few_points_are_drawn_one_by_one():
    assert drawn(MOST_POINTS).count("<title>tip</title>") == MOST_POINTS


def test_many_points_are_counted():
    page = drawn(200_000)
    assert ">tip</title>" not in page
    assert len(page) < 500_000
    told = [int(part.split(" here")[0].replace(",", "")) for part in page.split("<title>") if " here" in part]
    assert sum(told) == 200_000
