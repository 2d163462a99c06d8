"""The section of a comparison: per space a table of all arms, what each found, and how they differ."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from nasray.analysis.numerals import between, decimal, with_error, with_interval
from nasray.analysis.report.content import Cell, Column, Figure, Section, Table, breakable
from nasray.analysis.report.drawing.axis import linear, names
from nasray.analysis.report.drawing.chart import Chart, rows_size
from nasray.analysis.report.drawing.palette import series_role
from nasray.analysis.runs.run import Run
from nasray.analysis.studies.comparison import (
    ARM,
    COLUMN,
    CPU_SECONDS,
    GAIN,
    SPACE,
    TAU,
    comparison_summary,
    is_scored,
    measurements,
    sampled,
    sentences,
)
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, RANDOM, TRIVIAL

_KNOWN = {
    "accuracy": ("accuracy", "of what it found, trained for real, on the test images", 4),
    GAIN: ("paired gain", "in that accuracy over what the first arm found with the same seed", 4),
    CPU_SECONDS: ("CPU-seconds", "of a search with its teacher, on the machine that ran it", 0),
    "num_params": ("parameters", "of what it found", 0),
    "num_macs": ("MACs", "multiply-accumulates per image of what it found", 0),
}
_SCORED = (
    Column("τ", "Kendall's, of its scores with the accuracies of the networks that were drawn"),
    Column("interval", "of 95% of the mean τ, over networks like those drawn"),
    Column("above trivial", "τ less that of the best trivial measure, with its interval of 95%"),
)
_FINDS = (
    Column("search", "its own report", "text"),
    Column("accuracy", "on the test images, the mean over training seeds"),
    Column("parameters", ""),
    Column("MACs", "multiply-accumulates per image"),
    Column("CPU-seconds", ""),
    Column("architecture", "what it found within the budgets", "architecture"),
)


def section(run: Run) -> Section | None:
    """All arms, space by space, if the run is a comparison."""
    table, networks = run.comparison, run.comparison_networks
    if table is None or table.empty:
        return None
    summary = comparison_summary(table, networks)
    lead = "Each arm is a search of its own, in each space and with each seed. Arms are paired by seed."
    if networks is not None:
        lead += (
            f" {len(sampled(networks))} networks, drawn uniformly within the budgets and trained for real, judge the "
            "scores of all."
        )
    parts: list[Table | Figure] = []
    for space, own in table.groupby(SPACE, sort=False):
        parts += [
            _arms(str(space), summary[summary[SPACE] == space]),
            _accuracies(str(space), own),
            _each(run, str(space), own),
        ]
    return Section("comparison", "Comparison", lead, parts, sentences(summary, networks))


def _arms(space: str, summary: pd.DataFrame) -> Table:
    """Means and standard errors of all that was measured, a row per arm."""
    measured, scored = measurements(summary, list(_KNOWN)), is_scored(summary)
    rows: list[Any] = summary.to_dict("records")
    cells = [
        [
            Cell(str(row[ARM])),
            Cell(str(row["num_seeds"]), row["num_seeds"]),
            *(_agreement(row) if scored else ()),
            *(_mean(row, name, _KNOWN[name][2] if name in _KNOWN else 3) for name in measured),
        ]
        for row in rows
    ]
    columns = [
        Column(
            "arm",
            "what differs; after the arms trivial measures and a uniform draw, if networks were drawn",
            "text",
        ),
        Column("seeds", "searches"),
        *(_SCORED if scored else ()),
        *(
            Column(
                *(
                    _KNOWN[name][:2]
                    if name in _KNOWN
                    else (name.replace("_", " "), "as its method measured it")
                )
            )
            for name in measured
        ),
    ]
    return Table(
        f"Arms: {space}",
        "Means over the seeds ± their standard error, where there are several.",
        columns,
        cells,
    )


def _agreement(row: dict[str, Any]) -> tuple[Cell, Cell, Cell]:
    interval = between(row["kendall_tau_low"], row["kendall_tau_high"], 2)
    above = with_interval(row["above_trivial"], row["above_trivial_low"], row["above_trivial_high"], 2)
    return _mean(row, TAU, 3), Cell(interval), Cell(above, row["above_trivial"])


def _accuracies(space: str, table: pd.DataFrame) -> Figure:
    """The accuracy of what each search found, a row per arm."""
    own = table[~table[ARM].isin([*TRIVIAL, RANDOM])]
    arms = list(dict.fromkeys(own[ARM]))
    x = linear("test accuracy of what was found, trained for real (higher is better)", own["accuracy"])
    chart = Chart("", x, names("", arms), rows_size(len(arms)))
    for place, arm in enumerate(arms):
        rows, role = own[own[ARM] == arm], series_role(place)
        known = rows["accuracy"].dropna()
        mean, error = known.mean(), known.sem()
        tips = [
            f"{arm}, seed {row['seed']}: {decimal(row['accuracy'], 4)}\n{row[ARCHITECTURE]}"
            for row in rows.to_dict("records")
        ]
        chart.line(
            (mean - error, mean + error),
            (place, place),
            f"{role} bold",
            tip=f"{arm}: {with_error(mean, error, 4)}",
        )
        chart.points(rows["accuracy"].tolist(), [place] * len(rows), role, tips=tips, radius=3)
        chart.line((mean, mean), (place - 0.3, place + 0.3), f"{role} bold")
    return Figure(
        f"What was found: {space}",
        "A point per seed; the upright stroke is the mean, the lying one leads one standard error to each side.",
        [chart],
    )


def _each(run: Run, space: str, table: pd.DataFrame) -> Table:
    cells = [
        [
            _link(run, row[COLUMN]),
            Cell(decimal(row["accuracy"], 4), row["accuracy"]),
            _whole(row["num_params"]),
            _whole(row["num_macs"]),
            Cell(decimal(row[CPU_SECONDS], 0), row[CPU_SECONDS]),
            Cell(breakable(row[ARCHITECTURE])),
        ]
        for row in table.to_dict("records")
    ]
    caption = "Trained for real, all in the same way; the test images had no part in any choice."
    return Table(f"What each found: {space}", caption, _FINDS, cells)


def _link(run: Run, name: str) -> Cell:
    if not (run.path / name / run.files.report.name).is_file():
        return Cell(name)
    return Cell(Markup('<a href="{0}/report.html">{0}</a>').format(name))


def _mean(row: dict[str, Any], name: str, digits: int) -> Cell:
    return Cell(with_error(row[name], row[f"{name}_se"], digits), row[name])


def _whole(value: float) -> Cell:
    return Cell(f"{value:,.0f}", value)
