"""What strategies found, as a person reads it on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.contest import NUM_SEARCHES, TEST_SE, by_strategy
from analysis.numerals import quantity
from nasray.baselines import DNA, Baselines
from nasray.strategies.build import RANKING


def print_baselines(found: Baselines, console: Console) -> None:
    """Print what each strategy chose, what it took, and what the figures are."""
    several = found.choices["strategy"].duplicated().any()
    table = Table(title="What each strategy chose", title_justify="left", box=None)
    for heading in ("strategy", "held-out", "test", "epochs", "params", "macs"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for row in by_strategy(found.choices).to_dict("records"):
        table.add_row(
            str(row["strategy"]),
            f"{row['held_out_accuracy']:.4f}",
            _test(row),
            f"{row['cost_epochs']:.0f}",
            quantity(row["num_params"]),
            quantity(row["num_macs"]),
            str(row["architecture"]),
        )
    console.print(table)
    if several:
        console.print(
            "Several searches by a strategy: means, ± the standard error; the architecture is that of the search that "
            "ended best on the held-out images.",
            soft_wrap=True,
        )
    console.print(
        "Chosen by the held-out images. Epochs are those of all trainings that a search asked for, whoever made them."
        + _ranking_cost(found),
        soft_wrap=True,
    )


def _test(row: Mapping[Any, Any]) -> str:
    """The mean over searches with its standard error; of one search, over training seeds with their range."""
    if row[NUM_SEARCHES] > 1:
        return f"{row['test_accuracy']:.4f} ± {row[TEST_SE]:.4f} ({row[NUM_SEARCHES]})"
    values, mean = row["test_accuracies"], f"{row['test_accuracy']:.4f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.4f} to {max(values):.4f})"


def _ranking_cost(found: Baselines) -> str:
    """What the run's own ranking is said to have taken, where there is one."""
    own = found.choices[found.choices["strategy"] == DNA]
    if not len(own):
        return ""
    beside = f" {RANKING} trains its first ones." if RANKING in set(found.choices["strategy"]) else ""
    return (
        f" {DNA} is the first of the run's ranking, chosen without any training; the search behind it took as many "
        f"multiply-accumulates as {own['cost_epochs'].iloc[0]:.0f} epochs of training an average network.{beside}"
    )
