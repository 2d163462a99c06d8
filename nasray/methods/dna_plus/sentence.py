"""What a search in generations gave, in a sentence or two."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nasray.analysis.counting.coverage import NUM_LEFT_OUT


def sentence(generations: pd.DataFrame, figures: Mapping[str, Any]) -> str:
    """What generations gave, in a sentence or two.

    Args:
        generations: A row per generation, see `nasray.methods.dna_plus.table`.
        figures: What stands beside them: the best one's number and why there was none after the last.
    """
    best = generations.set_index("generation").loc[figures["best_generation"]]
    first, last = generations.iloc[0], generations.iloc[-1]
    number = len(generations)
    text = (
        f"The best of {number} generations is number {figures['best_generation']}, whose best architecture, trained "
        f"for real, is right on {best['held_out_accuracy']:.4f} of the held-out and {best['test_accuracy']:.4f} of the "
        "test images."
    )
    if number > 1:
        text += (
            f" Kendall's τ of scores with accuracies was {_told(first['kendall_tau'])} in the first generation and "
            f"{_told(last['kendall_tau'])} in the last."
        )
    if figures["ended_by"] == "margin":
        text += f" There is no further one, since the last gained less than {figures['margin']:.4g}."
    return text + _on_the_left_out(generations)


def _on_the_left_out(generations: pd.DataFrame) -> str:
    """Which rankings are not of all architectures within the budgets."""
    if NUM_LEFT_OUT not in generations:  # tables of earlier versions do not say
        return ""
    numbers = generations.loc[generations[NUM_LEFT_OUT] > 0, "generation"]
    if not len(numbers):
        return ""
    of_which = f"generation{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
    return f" Architectures with candidates that have no rating are left out of the ranking of {of_which}."


def _told(value: float) -> str:
    return "not measured" if pd.isna(value) else f"{value:.2f}"
