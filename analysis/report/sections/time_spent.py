"""The section of the time: which units took how long."""

import pandas as pd

from nasray.analysis.numerals import duration
from nasray.analysis.report.content import Cell, Column, Figure, Key, Section, Table
from nasray.analysis.report.drawing.axis import linear, names
from nasray.analysis.report.drawing.chart import Chart, rows_size
from nasray.analysis.report.drawing.palette import series_role
from nasray.analysis.runs.run import Run

_NUM_SHOWN = 30


def section(run: Run) -> Section | None:
    """The longest units and the totals of each kind, if any unit recorded its time."""
    if run.times is None or run.times["seconds"].notna().sum() == 0:
        return None
    times = run.times[run.times["seconds"].notna()].sort_values("seconds", ascending=False, kind="stable")
    kinds = sorted(times["kind"].unique())
    figure = Figure(
        "The longest units",
        f"The {min(_NUM_SHOWN, len(times))} longest of {len(times):,} units. Units run beside each other, so that the "
        "search took less than their sum.",
        [_chart(times.head(_NUM_SHOWN), kinds)],
        [Key(kind, series_role(number), "area") for number, kind in enumerate(kinds)],
    )
    total = times["seconds"].sum()
    lead = f"{duration(total)} in all, counted over the epochs of the units that train."
    return Section("time", "Where the time went", lead, [figure, _totals(times, total)])


def _chart(times: pd.DataFrame, kinds: list[str]) -> Chart:
    units = times["unit"].tolist()
    x = linear("seconds", [0.0, *times["seconds"]], low=0)
    chart = Chart("", x, names("", units), rows_size(len(units)))
    for place, row in enumerate(times.to_dict("records")):
        role = series_role(kinds.index(row["kind"]))
        tip = f"{row['unit']}\n{duration(row['seconds'])}, {row['num_epochs']} epochs"
        chart.box((0.0, row["seconds"]), (place - 0.32, place + 0.32), role, tip=tip)
    return chart


def _totals(times: pd.DataFrame, total: float) -> Table:
    sums = times.groupby("kind")["seconds"].agg(["sum", "count", "max"]).sort_values("sum", ascending=False)
    rows = [
        [
            Cell(str(kind)),
            Cell(f"{row['count']:.0f}", row["count"]),
            Cell(duration(row["sum"]), row["sum"]),
            Cell(f"{row['sum'] / total:.0%}", row["sum"]),
            Cell(duration(row["max"]), row["max"]),
        ]
        for kind, row in sums.iterrows()
    ]
    columns = [
        Column("kind", "what the units do", "text"),
        Column("units", "how many"),
        Column("time", "sum over the units"),
        Column("share", "of the sum over all units"),
        Column("longest", "the longest unit"),
    ]
    return Table("Totals", "Sums over the units of a kind.", columns, rows)
