"""The additivity of blocks as a person reads it on the terminal."""

from rich.console import Console
from rich.table import Table

from nasray.analysis.trust.additivity import sentence
from nasray.commands.additivity import Additivity

_COLUMNS = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "kendall_tau": "Kendall",
    "median_relative_error": "median error",
    "median_ratio": "together / sum",
}


def print_additivity(found: Additivity, console: Console) -> None:
    """Print the figures of each group of blocks, and what they say."""
    title = "Blocks swapped into the teacher: what they do together against the sum of what each does alone"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("blocks", "swaps", *_COLUMNS.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    for blocks, figures in found.figures.items():
        values = (figures[name] for name in _COLUMNS)
        table.add_row(
            blocks,
            str(figures["num_swaps"]),
            *("" if value is None else f"{value:.3f}" for value in values),
        )
    console.print(table)
    console.print(sentence(found.figures), soft_wrap=True)
