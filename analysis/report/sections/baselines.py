"""The section of other searches: what strategies that train networks for real chose, at equal cost."""

import pandas as pd

from nasray.analysis.counting.statement import scope
from nasray.analysis.numerals import decimal
from nasray.analysis.report.content import Cell, Column, Figure, Key, Section, Table, breakable
from nasray.analysis.report.drawing.axis import linear
from nasray.analysis.report.drawing.chart import Chart
from nasray.analysis.report.drawing.palette import series_role
from nasray.analysis.runs.run import Run
from nasray.analysis.studies.contest import NUM_SEARCHES, by_strategy, format_accuracy
from nasray.search_spaces.artefacts.columns import ARCHITECTURE

_COLUMNS = (
    Column("strategy", "what searched; dna is the first of this run's ranking, not trained before", "text"),
    Column("held-out", "accuracy on the held-out images, by which it was chosen"),
    Column(
        "test",
        "accuracy on the test images: the mean over searches ± its standard error, of two searches with their range, "
        "of one with that of its training seeds",
    ),
    Column("searches", "each with a seed of its own"),
    Column(
        "epochs", "of all trainings that the search asked for; what the run's own search took, in such epochs"
    ),
    Column("parameters", ""),
    Column("MACs", "multiply-accumulates per image"),
    Column(
        "architecture", "what it chose; of several searches, the best on the held-out images", "architecture"
    ),
)


def section(run: Run) -> Section | None:
    """How each search went on and what it chose, if there were others."""
    choices, trainings = run.baselines, run.baseline_trainings
    if choices is None or trainings is None:
        return None
    lead = "Other searches of the same space, within the same budgets, that train networks for real at equal cost."
    if run.coverage is not None:
        lead = f"{lead} {scope(run.coverage, 'The ranking is')}".rstrip()
    return Section("baselines", "Other searches", lead, [_progress(trainings), _table(choices)])


def _progress(trainings: pd.DataFrame) -> Figure:
    """The accuracy of what each would have chosen, the more it had spent."""
    spent, best = trainings["spent_epochs"], trainings["best_held_out_accuracy"]
    chart = Chart(
        "",
        linear("epochs of training spent", [0, *spent], whole=True),
        linear("held-out accuracy of the best so far (higher is better)", best),
    )
    # Runs from before there were several searches have no seeds.
    seeds = trainings.get("seed", pd.Series(0, index=trainings.index))
    roles = {name: series_role(number) for number, name in enumerate(dict.fromkeys(trainings["strategy"]))}
    for name, role in roles.items():
        for _, own in trainings[trainings["strategy"] == name].groupby(seeds):
            tips = [
                f"{name}\n{row[ARCHITECTURE]}, {row['epochs']} epochs: {decimal(row['held_out_accuracy'], 4)}"
                for row in own.to_dict("records")
            ]
            x, y = own["spent_epochs"].tolist(), own["best_held_out_accuracy"].tolist()
            chart.line(x, y, role)
            chart.points(x, y, role, tips=tips, radius=2.2)
    caption = (
        "What each would have chosen, had it ended there; where trainings differ in length, of the longest."
    )
    legend = [Key(name, role, "line") for name, role in roles.items()]
    return Figure("As they spent", caption, [chart], legend, is_wide=True)


def _table(choices: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(row["strategy"]),
            Cell(decimal(row["held_out_accuracy"], 4), row["held_out_accuracy"]),
            Cell(format_accuracy(row), row["test_accuracy"]),
            Cell(str(row[NUM_SEARCHES]), row[NUM_SEARCHES]),
            Cell(f"{row['cost_epochs']:,.0f}", row["cost_epochs"]),
            Cell(f"{row['num_params']:,.0f}", row["num_params"]),
            Cell(f"{row['num_macs']:,.0f}", row["num_macs"]),
            Cell(breakable(row[ARCHITECTURE])),
        ]
        for row in by_strategy(choices).to_dict("records")
    ]
    return Table("What they chose", "The test images had no part in any choice.", _COLUMNS, rows)
