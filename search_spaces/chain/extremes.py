"""The architecture of most or fewest multiply-accumulates, exactly, where widths must meet between blocks."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from nasray.search_spaces.artefacts.columns import IN_CHANNELS, NUM_MACS, NUM_PARAMS, OUT_CHANNELS


class _Tail(NamedTuple):
    """Rows chosen from one block to the last; the better of two compares as less."""

    signed_macs: int
    num_params: int
    rows: tuple[int, ...]


def extreme_rows(tables: Sequence[pd.DataFrame], *, largest: bool) -> tuple[int, ...]:
    """Per block, the number of the row that the architecture of most (fewest) MACs takes.

    Solved from the last block to the first: the best tail depends only on the width at which it is entered.
    Ties go to fewer parameters, then to the lower rows, first block first.

    Args:
        tables: Per block, its candidate table; the rows of the first share one entry width.
        largest: Whether to maximise the MACs instead of minimising them.
    """
    sign = -1 if largest else 1
    tails = {width: _Tail(0, 0, ()) for width in tables[-1][OUT_CHANNELS]}
    for table in reversed(tables):
        columns = (table[name].tolist() for name in (IN_CHANNELS, OUT_CHANNELS, NUM_MACS, NUM_PARAMS))
        better: dict[int, _Tail] = {}
        for row, (entry, leave, macs, num_params) in enumerate(zip(*columns, strict=True)):
            tail = tails[leave]
            tail = _Tail(tail.signed_macs + sign * macs, tail.num_params + num_params, (row, *tail.rows))
            better[entry] = min(better.get(entry, tail), tail)
        tails = better
    (whole,) = tails.values()
    return whole.rows
