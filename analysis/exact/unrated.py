"""Candidates without a rating: how many in which block, for what reason, and with which operations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any, Self

import pandas as pd

from nasray.search_spaces.artefacts.columns import CANDIDATE, FAILURE, IN_CHANNELS, OPERATIONS, RATING

UNRATED = "unrated"
_LONGEST_REASON = 80  # of a sentence; the table of ratings holds all of it


@dataclass(frozen=True, slots=True)
class Unrated:
    """Candidates of a block that have no rating for one kind of reason.

    Attributes:
        block: The block's number, from 0 on.
        num_candidates: How many they are.
        num_in_block: How many candidates the block has.
        first: The first of them.
        operations: What may be to blame: operations with which no candidate of the block is rated and of which each of
            these has one, or else the one operation that several have in common; empty where there is none.
        in_channels: The widths at which the block is entered there, ascending, if it can be entered at others.
        reason: Why the first has no rating; empty where its table does not say. The kind of a reason stands before its
            first colon.
    """

    block: int
    num_candidates: int
    num_in_block: int
    first: str
    operations: tuple[str, ...]
    in_channels: tuple[int, ...]
    reason: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """From what `data` gave."""
        tuples = {name: tuple(data[name]) for name in ("operations", "in_channels")}
        return cls(**{**data, **tuples})

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"operations": list(self.operations), "in_channels": list(self.in_channels)}

    def __str__(self) -> str:
        text = f"{self.num_candidates:,} of the {self.num_in_block:,} in block {self.block}"
        if self.in_channels:
            text += f" where it is entered at {' or '.join(map(str, self.in_channels))} channels"
        if self.operations:
            each = "with" if self.num_candidates == 1 else "each with"
            text += f", {each} {' or '.join(f'`{name}`' for name in self.operations)}"
        else:
            text += f", {self.first}" if self.num_candidates == 1 else f", such as {self.first}"
        return f"{text} ({shorten(self.reason, _LONGEST_REASON, placeholder='…')})" if self.reason else text


def unrated_candidates(tables: Sequence[pd.DataFrame]) -> tuple[Unrated, ...]:
    """The candidates without a rating, block by block.

    Args:
        tables: The ratings of each block, as for `top_architectures`; why a row has none is read from
            the column `failure`, where there is one.
    """
    return tuple(found for block, table in enumerate(tables) for found in unrated_in_block(block, table))


def unrated_in_block(block: int, table: pd.DataFrame) -> Iterator[Unrated]:
    """The candidates of one block without a rating, for each kind of reason."""
    if table[RATING].notna().all():
        return
    table = table.reset_index(drop=True)
    failed = table[table[RATING].isna()]
    reasons = failed[FAILURE].fillna("").astype(str) if FAILURE in table else pd.Series("", failed.index)
    for _, own in failed.groupby(reasons.str.partition(":")[0], sort=False):
        yield Unrated(
            block=block,
            num_candidates=int(own[CANDIDATE].nunique()),
            num_in_block=int(table[CANDIDATE].nunique()),
            first=str(own[CANDIDATE].iloc[0]),
            operations=_to_blame(own, table),
            in_channels=_widths(own, table),
            reason=str(reasons[own.index[0]]),
        )


def _widths(own: pd.DataFrame, table: pd.DataFrame) -> tuple[int, ...]:
    """The entry widths of rows without a rating; none where their candidates are entered at no others."""
    if IN_CHANNELS not in table:
        return ()
    every = table.loc[table[CANDIDATE].isin(own[CANDIDATE]), IN_CHANNELS]
    widths = set(own[IN_CHANNELS].tolist())
    return () if widths == set(every.tolist()) else tuple(sorted(widths))


def _to_blame(own: pd.DataFrame, table: pd.DataFrame) -> tuple[str, ...]:
    """See `Unrated.operations`; `own` are its rows, `table` is the whole block."""
    if OPERATIONS not in table:
        return ()
    candidates = [set(text.split(",")) for text in own[OPERATIONS].unique()]
    rated = table.loc[table[RATING].notna(), OPERATIONS].unique()
    harmless = {name for text in rated for name in text.split(",")}
    common = set.intersection(*candidates)
    if len(common - harmless) == 1:
        return tuple(common - harmless)
    suspects = set.union(*candidates) - harmless
    if all(suspects & one for one in candidates):
        return tuple(sorted(suspects))
    return tuple(common) if len(common) == 1 and len(candidates) > 1 else ()
