"""The section of the training curves: what each unit that trains measured on held-out images, epoch by epoch."""

import numpy as np
import pandas as pd

from nasray.analysis.numerals import decimal
from nasray.analysis.report.content import Figure, Key, Section
from nasray.analysis.report.drawing.axis import linear
from nasray.analysis.report.drawing.chart import Chart
from nasray.analysis.report.drawing.palette import NUM_COLOURS, series_role
from nasray.analysis.runs.run import Run
from nasray.search_spaces.artefacts.columns import ARCHITECTURE

_MOST_LINES = 60
_BAND = (5, 50, 95)  # percentiles that stand for more lines than that
_LABELS = {
    "held_out_accuracy": "held-out accuracy (higher is better)",
    "held_out_relative_l1": "held-out relative L1 (lower is better)",
    "held_out_mse": "held-out mean squared error (lower is better)",
    "held_out_noise_to_signal": "held-out noise-to-signal ratio (lower is better)",
}
_KINDS = {
    "teacher": ("Teacher", "The network that the blocks learn from."),
    "block": (
        "Blocks",
        "The supernet of each cell, measured by paths drawn at random; cells of one block share a chart. A curve that "
        "still falls at its end asks for more epochs; one that lies apart from its neighbours may tell more of the "
        "training than of the cell.",
    ),
    "retrain": ("Networks trained for real", "Each architecture, trained from its own weights."),
}


def section(run: Run) -> Section | None:
    """The curves of teacher, blocks and networks trained for real, as far as they are there."""
    if run.curves is None:
        return None
    curves = run.curves[run.curves["metric"].str.startswith("held_out_") & (run.curves["epoch"] > 0)]
    texts = (
        {}
        if run.retrained is None
        else dict(zip(run.retrained["unit"], run.retrained[ARCHITECTURE], strict=True))
    )
    figures = []
    for kind, (title, caption) in _KINDS.items():
        own = curves[curves["kind"] == kind]
        if len(own):
            figures.append(_figure(kind, title, caption, own, texts))
    if not figures:
        return None
    return Section("curves", "Training", "What was measured on held-out images after each epoch.", figures)


def _figure(kind: str, title: str, caption: str, curves: pd.DataFrame, texts: dict[str, str]) -> Figure:
    """A chart per metric, and per block of those that train blocks."""
    groups = curves["unit"].str.split("/").str[0] if kind == "block" else pd.Series("", index=curves.index)
    charts, num_series = [], 0
    for (metric, group), own in curves.groupby(["metric", groups], sort=False):
        num_lines = own["unit"].nunique()
        num_series = max(num_series, num_lines)
        name = str(group).replace("block_", "Block ")
        charts.append(_chart(name, str(metric), curves[curves["metric"] == metric], own, texts))
    legend: tuple[Key, ...] = ()
    if num_series > _MOST_LINES:
        legend = (Key("median", "s0", "line"), Key("from the 5th to the 95th percentile", "s0 faint", "area"))
    return Figure(title, caption, charts, legend)


def _chart(
    title: str, metric: str, of_metric: pd.DataFrame, own: pd.DataFrame, texts: dict[str, str]
) -> Chart:
    # One scale for all charts of a metric, so that they can be compared; without the first steps' outliers.
    values = of_metric["value"]
    shown = values[values <= np.percentile(values, 99) * 1.05] if "accuracy" not in metric else values
    x = linear("epoch", of_metric["epoch"], low=1, whole=True)
    chart = Chart(title, x, linear(_LABELS.get(metric, metric.replace("_", " ")), shown))
    units = list(own.groupby("unit", sort=True))
    if len(units) > _MOST_LINES:
        table = own.pivot_table(index="epoch", columns="unit", values="value")
        low, middle, high = np.nanpercentile(table.to_numpy(), _BAND, axis=1)
        epochs = table.index.tolist()
        chart.band(epochs, low.tolist(), high.tolist(), "s0")
        chart.line(epochs, middle.tolist(), "s0")
        return chart
    if 1 < len(units) <= NUM_COLOURS:
        chart.keys(
            [(str(unit).rsplit("/", 1)[-1], series_role(number)) for number, (unit, _) in enumerate(units)]
        )
    for number, (unit, curve) in enumerate(units):
        name = texts.get(str(unit), str(unit))
        tip = f"{name}\nlast {decimal(curve['value'].iloc[-1], 4)}"
        role = series_role(number) if len(units) <= NUM_COLOURS else "s0 thin"
        chart.line(curve["epoch"].tolist(), curve["value"].tolist(), role, tip=tip)
    return chart
