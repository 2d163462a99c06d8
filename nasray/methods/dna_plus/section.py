"""The section of a search in generations: what each gave, and what changed from one to the next."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from nasray.analysis.numerals import decimal, with_interval
from nasray.analysis.report.content import Cell, Column, Figure, Key, Section, Table, breakable
from nasray.analysis.report.drawing.axis import Axis, linear
from nasray.analysis.report.drawing.chart import Chart
from nasray.analysis.runs.run import Run
from nasray.analysis.studies.ranking_change import NUM_TOP
from nasray.methods.dna_plus.sentence import sentence

_GIVEN = (
    Column("generation", "its own report", "text"),
    Column("teacher", "accuracy on the held-out images"),
    Column("its parameters", ""),
    Column(
        "τ", "Kendall's, of scores with the accuracies of networks trained for real; the interval is of 95%"
    ),
    Column("held-out", "accuracy of its best architecture, the mean over training seeds"),
    Column("gain", "of that over the generation before"),
    Column(
        "test",
        "accuracy of its best architecture, the mean over training seeds; it had no part in any choice",
    ),
    Column("parameters", "of its best architecture"),
    Column("MACs", "multiply-accumulates per image of its best architecture"),
    Column("best architecture", "the first of its ranking", "architecture"),
)
_CHANGED = (
    Column("generation", "", "text"),
    Column("τ", "Kendall's, of its scores with those of the generation before"),
    Column(
        "architectures",
        "over which that is told: drawn from all, as far as within the budgets and rated in both",
    ),
    Column("of the ten best", "how many were among the ten best of the generation before"),
    Column("taught by", "the architecture that, scaled, is its teacher", "architecture"),
)


def section(run: Run) -> Section | None:
    """What each generation gave, if the search had several."""
    generations = run.generations
    if generations is None:
        return None
    rows: list[Any] = generations.to_dict("records")
    lead = (
        "Each generation is a search of its own. The first of its ranking is trained for real with its teacher's help; "
        "scaled and trained anew, it is the teacher of the next generation."
    )
    parts: list[Table | Figure] = [_given(rows)]
    if len(rows) > 1:
        parts = [_accuracies(generations), *parts, _changed(rows)]
    figures = run.generations_figures
    conclusion = "" if figures is None else sentence(generations, figures)
    return Section("generations", "Generations", lead, parts, conclusion)


def _accuracies(generations: pd.DataFrame) -> Figure:
    """Accuracies and agreement over the generations."""
    numbers = generations["generation"].tolist()
    names = {
        "teacher": ("teacher_accuracy", "reference"),
        "its best architecture, held-out": ("held_out_accuracy", "trained"),
        "its best architecture, test": ("test_accuracy", "found"),
    }
    values = generations[[column for column, _ in names.values()]].astype(float)
    accuracy = Chart(
        "Accuracy", _numbered(numbers), linear("accuracy (higher is better)", values.to_numpy().ravel())
    )
    for name, (column, role) in names.items():
        own = values[column].tolist()
        tips = [f"{name}, generation {n}: {decimal(value, 4)}" for n, value in zip(numbers, own, strict=True)]
        accuracy.line(numbers, own, role)
        accuracy.points(numbers, own, role, tips=tips)
    caption = "The band is the 95% interval of τ, over networks like those trained for real."
    legend = [Key(name, role, "line") for name, (_, role) in names.items()]
    return Figure("From one to the next", caption, [accuracy, _agreement(generations)], legend, is_wide=True)


def _agreement(generations: pd.DataFrame) -> Chart:
    numbers = generations["generation"].tolist()
    tau, low, high = (generations[f"kendall_tau{end}"].tolist() for end in ("", "_low", "_high"))
    chart = Chart(
        "Agreement", _numbered(numbers), linear("Kendall's τ of the score (higher is better)", [*low, *high])
    )
    chart.band(numbers, low, high, "ranked")
    chart.line(numbers, tau, "ranked")
    tips = [f"generation {n}: {decimal(value)}" for n, value in zip(numbers, tau, strict=True)]
    chart.points(numbers, tau, "ranked", tips=tips)
    return chart


def _numbered(numbers: list[int]) -> Axis:
    return linear("generation", numbers, whole=True)


def _given(rows: Sequence[dict[str, Any]]) -> Table:
    cells = [
        [
            _link(row["generation"]),
            _decimal(row["teacher_accuracy"], 4),
            _whole(row["teacher_num_params"]),
            _tau(row),
            _decimal(row["held_out_accuracy"], 4),
            _decimal(row["gain"], 4),
            _decimal(row["test_accuracy"], 4),
            _whole(row["num_params"]),
            _whole(row["num_macs"]),
            Cell(breakable(row["architecture"])),
        ]
        for row in rows
    ]
    caption = "A generation follows as long as the held-out accuracy gains enough."
    return Table("What each gave", caption, _GIVEN, cells)


def _changed(rows: Sequence[dict[str, Any]]) -> Table:
    cells = [
        [
            Cell(str(row["generation"]), row["generation"]),
            _decimal(row["ranking_tau"], 3),
            _whole(row["num_compared"]),
            _whole(row["num_shared"]),
            Cell(breakable(row["teacher"])),
        ]
        for row in rows[1:]
    ]
    caption = (
        f"Two rankings that agree have a τ of 1 and all {NUM_TOP} best in common; unrelated ones a τ about 0."
    )
    return Table("What changed in the ranking", caption, _CHANGED, cells)


def _link(number: int) -> Cell:
    page = Markup('<a href="generation_{0}/report.html">{0}</a>').format(number)
    return Cell(page, float(number))


def _tau(row: dict[str, Any]) -> Cell:
    tau, low, high = (row[f"kendall_tau{end}"] for end in ("", "_low", "_high"))
    return Cell(with_interval(tau, low, high), tau)


def _decimal(value: float | None, digits: int) -> Cell:
    value = float("nan") if value is None else value
    return Cell(decimal(value, digits), value)


def _whole(value: float) -> Cell:
    return Cell(f"{value:,.0f}", value)
