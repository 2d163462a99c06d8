"""Budgets that some architecture of a space meets: each by itself, and all together."""

from collections.abc import Mapping, Sequence

import pandas as pd

from nasray.analysis.exact.ranking import top_architectures
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import SCORE

_SECONDS = 20.0  # what they can be met by together may be hard to tell; the ranking tells it in the end


def check_meetable(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float]) -> None:
    """Hold budgets to what the architectures of a space cost, whatever their ratings will be.

    Args:
        tables: The candidate tables of its blocks.
        budgets: Upper bounds of columns of theirs.

    Raises:
        UserError: No architecture keeps one of them, or all together.
    """
    for name, limit in budgets.items():
        smallest = _smallest(tables, name, {})
        if smallest is not None and limit < smallest:
            raise UserError(
                f"budgets.{name} must be at least {smallest:.0f}, the smallest of all, got {limit:.15g}"
            )
    names = list(budgets)
    for position, name in enumerate(names[1:], start=1):
        others = {other: budgets[other] for other in names[:position]}
        smallest = _smallest(tables, name, others)
        if smallest is not None and budgets[name] < smallest:
            given = " and ".join(f"{other} up to {limit:.15g}" for other, limit in others.items())
            raise UserError(
                f"budgets must be met together by some architecture, but with {given} the smallest {name} is "
                f"{smallest:.0f}, got {budgets[name]:.15g}: raise one of them"
            )


def _smallest(tables: Sequence[pd.DataFrame], name: str, budgets: Mapping[str, float]) -> float | None:
    """The smallest cost of the architectures that keep some budgets; None where that cannot be told in time."""
    rated = [table.assign(rating=table[name].astype(float)) for table in tables]
    best = top_architectures(rated, budgets, 1, time_limit_seconds=_SECONDS)
    return float(best[SCORE].iloc[0]) if best.attrs["certificate"]["proved"] else None
