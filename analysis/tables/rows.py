"""The rows of given architectures in the tables of ratings."""

from collections.abc import Sequence

import pandas as pd

from nasray.errors import UserError
from nasray.search_spaces.architecture import SEPARATOR
from nasray.search_spaces.artefacts.columns import CANDIDATE, IN_CHANNELS, OUT_CHANNELS


def architecture_rows(architectures: Sequence[str], tables: Sequence[pd.DataFrame]) -> list[list[int]]:
    """Where the candidates of architectures stand in the table of each block, a list of [N] positions per block.

    Raises:
        UserError: If an architecture is not of the rated space.
    """
    candidates = [name.split(SEPARATOR) for name in architectures]
    for name, parts in zip(architectures, candidates, strict=True):
        if len(parts) != len(tables):
            raise UserError(
                f"an architecture must have a candidate for each of the {len(tables)} blocks, got {name}"
            )
    found = []
    widths: list[int | None] = [None] * len(candidates)
    for block, table in enumerate(tables):
        rows = _rows(block, table, [parts[block] for parts in candidates], widths)
        found.append(rows)
        widths = table[OUT_CHANNELS].iloc[rows].tolist() if OUT_CHANNELS in table else [None] * len(rows)
    return found


def _rows(
    block: int, table: pd.DataFrame, candidates: Sequence[str], widths: Sequence[int | None]
) -> list[int]:
    """Where the candidates stand in a table, each entered at its width; None where any will do."""
    anywhere = [None] * len(table)
    entries = table[IN_CHANNELS].tolist() if IN_CHANNELS in table else anywhere
    names = table[CANDIDATE].tolist()
    places = {**_places(names, anywhere), **_places(names, entries)}
    if IN_CHANNELS not in table:
        widths = [None] * len(candidates)
    unknown = [pair for pair in zip(candidates, widths, strict=True) if pair not in places]
    if unknown:
        name, width = unknown[0]
        entered = "" if width is None else f", entered at {width}"
        raise UserError(f"the candidates of block {block} must have one named {name}{entered}")
    return [places[pair] for pair in zip(candidates, widths, strict=True)]


def _places(names: Sequence[str], widths: Sequence[int | None]) -> dict[tuple[str, int | None], int]:
    return {pair: place for place, pair in enumerate(zip(names, widths, strict=True))}
