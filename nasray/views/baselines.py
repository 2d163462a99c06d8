"""The finds of strategies on the terminal."""

from rich.console import Console
from rich.table import Table

from nasray.analysis.counting.statement import scope
from nasray.analysis.numerals import quantity
from nasray.analysis.studies.contest import NUM_SEARCHES, by_strategy, format_accuracy
from nasray.commands.baselines import Baselines
from nasray.strategies.build import RANKING


def print_baselines(found: Baselines, console: Console) -> None:
    """Print what each strategy chose, what it took, and what the figures are."""
    several = found.choices["strategy"].duplicated().any()
    table = Table(title="What each strategy chose", title_justify="left", box=None)
    for heading in ("strategy", "searches", "held-out", "test", "epochs", "params", "macs"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for row in by_strategy(found.choices).to_dict("records"):
        table.add_row(
            str(row["strategy"]),
            str(row[NUM_SEARCHES]),
            f"{row['held_out_accuracy']:.4f}",
            format_accuracy(row),
            f"{row['cost_epochs']:.0f}",
            quantity(row["num_params"]),
            quantity(row["num_macs"]),
            str(row["architecture"]),
        )
    console.print(table)
    if several:
        console.print(
            "Several searches by a strategy: means, with the standard error (of two, the range); the architecture is "
            "that of the search that ended best on the held-out images.",
            soft_wrap=True,
        )
    console.print(
        "Chosen by the held-out images. Epochs are those of all trainings that a search asked for, whoever made them."
        + _ranking_cost(found),
        soft_wrap=True,
    )
    if found.coverage is not None and not found.coverage.is_whole:
        console.print(scope(found.coverage, "The ranking is"), soft_wrap=True)


def _ranking_cost(found: Baselines) -> str:
    """What the run's own ranking is said to have taken, where there is one."""
    own = found.choices[found.choices["num_trainings"] == 0]
    if not len(own):
        return ""
    beside = f" {RANKING} trains its first ones." if RANKING in set(found.choices["strategy"]) else ""
    return (
        f" {own['strategy'].iloc[0]} is the first of the run's ranking, chosen without any training; the search behind "
        f"it took as many multiply-accumulates as {own['cost_epochs'].iloc[0]:.0f} epochs of training an average "
        f"network.{beside}"
    )
