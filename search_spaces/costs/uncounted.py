"""Operators whose multiply-accumulates cannot be counted, as tables name them."""

from collections.abc import Iterable

import pandas as pd

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import CANDIDATE, UNCOUNTED

_SEPARATOR = ", "


def uncounted_text(operators: Iterable[str]) -> str | None:
    """Names of uncounted operators as the column `uncounted` has them, sorted; None for none."""
    return _SEPARATOR.join(sorted(operators)) or None


def uncounted_operators(table: pd.DataFrame) -> set[str]:
    """The operators of which some candidate's `num_macs` counts nothing."""
    if UNCOUNTED not in table.columns:
        return set()
    return {name for text in table[UNCOUNTED].dropna().unique() for name in text.split(_SEPARATOR)}


def check_counted(tables: Iterable[pd.DataFrame], purpose: str) -> None:
    """Refuse what decides by multiply-accumulates where some are not counted.

    Args:
        tables: With the columns `candidate` and, where anything is uncounted, `uncounted`.
        purpose: What decides by them, such as "budgets.num_macs".

    Raises:
        UserError: Of some candidate, they are not.
    """
    for block, table in enumerate(tables):
        operators = uncounted_operators(table)
        if operators:
            faulty = table[UNCOUNTED].notna()
            raise UserError(
                f"{purpose} must rest on multiply-accumulates that are all counted, but those of "
                f"{uncounted_text(operators)} cannot be, in {int(faulty.sum())} of {len(table)} rows of block {block}, "
                f"such as {table.loc[faulty, CANDIDATE].iloc[0]}: give the module that runs it a method "
                "num_macs(input_shape), which tells them for one image (C, H, W), and search anew, or leave that out"
            )


def lower_bounds(operators: Iterable[str]) -> str:
    """What is to be said beside numbers of multiply-accumulates that lack those of some operators."""
    return f"MACs are lower bounds: those of {uncounted_text(operators)} cannot be counted and are left out."
