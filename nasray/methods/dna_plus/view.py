"""The generations as a person reads them on the terminal: what each gave, and before that what will be done."""

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from nasray import analysis
from nasray.analysis.numerals import quantity
from nasray.methods.dna_plus.sentence import sentence
from nasray.methods.dna_plus.settings import DnaPlusConfig
from nasray.search_spaces.artefacts.columns import HELD_OUT_ACCURACY, NUM_PARAMS, TEST_ACCURACY


def print_generations(folder: Path, console: Console) -> None:
    """Print a row per generation: its teacher, how far its ranking agrees, its best architecture, what changed."""
    run = analysis.load_run(folder)
    generations, figures = run.generations, run.generations_figures
    assert generations is not None
    assert figures is not None
    table = Table(title="Generations", title_justify="left", box=None)
    for heading in (
        "",
        "teacher",
        "τ of ratings",
        "best: held-out",
        "test",
        "params",
        "τ to before",
        "of 10 same",
    ):
        table.add_column(heading, justify="right")
    for row in generations.to_dict("records"):
        table.add_row(
            str(row["generation"]),
            _number(row["teacher_accuracy"], 4),
            _interval(row),
            _number(row[HELD_OUT_ACCURACY], 4),
            _number(row[TEST_ACCURACY], 4),
            quantity(row[NUM_PARAMS]),
            _number(row["ranking_tau"], 2),
            _number(row["num_shared"], 0),
        )
    console.print(table)
    console.print(sentence(generations, figures), soft_wrap=True)


def describe_next(settings: DnaPlusConfig) -> str:
    """What follows the first generation, in a sentence or two."""
    if settings.generations == 1:
        return "This is the only generation."
    scaling, number = settings.scaling, settings.generations - 1
    more = "One more generation follows" if number == 1 else f"Up to {number} more generations follow"
    return (
        f"{more}, with as many units each. The teacher is the best architecture of the generation before: "
        f"{scaling.width**scaling.power:.4g} times as wide, {scaling.depth**scaling.power:.4g} times as deep, for "
        f"images {scaling.resolution**scaling.power:.4g} times as large. The last is that which gains "
        f"less than {settings.margin:.4g} in held-out accuracy."
    )


def _interval(row: dict[Any, Any]) -> str:
    if pd.isna(row["kendall_tau"]):
        return "-"
    return f"{row['kendall_tau']:.2f} ({row['kendall_tau_low']:.2f} to {row['kendall_tau_high']:.2f})"


def _number(value: float | None, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"
