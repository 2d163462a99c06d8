"""The section of a family study: one table of all methods, and what each found with each seed."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from nasray.analysis.exact.ranking import ARCHITECTURE
from nasray.analysis.numerals import decimal, with_error
from nasray.analysis.report.content import Cell, Column, Section, Table, breakable
from nasray.analysis.runs.run import Run
from nasray.analysis.studies.family import COLUMN, METHOD, family_summary, sampled

_METHODS = (
    Column("method", "what searched; the last ones are trivial measures and a uniform draw", "text"),
    Column("seeds", "searches"),
    Column("CPU-seconds", "of a search with its teacher, on the machine that ran it"),
    Column("τ", "Kendall's, of its scores with the accuracies of the sampled networks"),
    Column("interval", "of 95% of the mean τ, over networks like those sampled"),
    Column("less trivial", "τ less that of the best trivial measure, with its interval of 95%"),
    Column("accuracy", "of what it found, on the test images"),
    Column("parameters", "of what it found"),
    Column("MACs", "multiply-accumulates per image of what it found"),
)
_FINDS = (
    Column("search", "its own report", "text"),
    Column("accuracy", "on the test images, the mean over training seeds"),
    Column("parameters", ""),
    Column("MACs", "multiply-accumulates per image"),
    Column("CPU-seconds", ""),
    Column("architecture", "the best of its ranking within the budgets", "architecture"),
)


def section(run: Run) -> Section | None:
    """All methods in one table, if the run is a family study."""
    finds, networks = run.family, run.family_networks
    if finds is None or networks is None:
        return None
    lead = (
        f"Each method searched the same space within the same budgets. {len(sampled(networks))} networks, drawn "
        "uniformly within the budgets and trained for real, judge the scores of all."
    )
    return Section("family", "The family", lead, [_methods(finds, networks), _each(run, finds)])


def _methods(finds: pd.DataFrame, networks: pd.DataFrame) -> Table:
    rows: list[Any] = family_summary(finds, networks).to_dict("records")
    cells = [
        [
            Cell(row[METHOD]),
            Cell(str(row["num_seeds"]), row["num_seeds"]),
            _mean(row, "cpu_seconds", 0),
            _mean(row, "kendall_tau", 3),
            Cell(f"{decimal(row['kendall_tau_low'], 2)} to {decimal(row['kendall_tau_high'], 2)}"),
            Cell(
                f"{decimal(row['gain'], 2)} ({decimal(row['gain_low'], 2)} to {decimal(row['gain_high'], 2)})",
                row["gain"],
            ),
            _mean(row, "accuracy", 4),
            _whole(row["num_params"]),
            _whole(row["num_macs"]),
        ]
        for row in rows
    ]
    caption = "Means over the seeds of the searches, ± their standard error, where there are several."
    return Table("All methods", caption, _METHODS, cells)


def _each(run: Run, finds: pd.DataFrame) -> Table:
    cells = [
        [
            _link(run, row[COLUMN]),
            Cell(decimal(row["accuracy"], 4), row["accuracy"]),
            _whole(row["num_params"]),
            _whole(row["num_macs"]),
            Cell(decimal(row["cpu_seconds"], 0), row["cpu_seconds"]),
            Cell(breakable(row[ARCHITECTURE])),
        ]
        for row in finds.to_dict("records")
    ]
    caption = "Trained for real, all in the same way; the test images had no part in any choice."
    return Table("What each found", caption, _FINDS, cells)


def _link(run: Run, name: str) -> Cell:
    if not (run.path / name / "report.html").is_file():
        return Cell(name)
    return Cell(Markup('<a href="{0}/report.html">{0}</a>').format(name))


def _mean(row: dict[str, Any], name: str, digits: int) -> Cell:
    return Cell(with_error(row[name], row[f"{name}_se"], digits), row[name])


def _whole(value: float) -> Cell:
    return Cell(f"{value:,.0f}", value)
