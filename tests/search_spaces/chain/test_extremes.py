import itertools

import numpy as np
import pandas as pd
import pytest

from nasray.search_spaces.chain.extremes import extreme_rows


def random_tables(rng):
    widths = [(3,), *((1, 2, 4)[: rng.integers(1, 4)] for _ in range(3))]
    tables = []
    for entries, exits in itertools.pairwise(widths):
        rows = [
            (entry, leave, *rng.integers(0, 4, size=2))
            for entry in entries
            for leave in exits
            for _ in range(2)
        ]
        tables.append(pd.DataFrame(rows, columns=["in_channels", "out_channels", "num_params", "num_macs"]))
    return tables


def brute_force(tables, sign):
    best = None
    for rows in itertools.product(*(range(len(table)) for table in tables)):
        chosen = [table.iloc[row] for table, row in zip(tables, rows, strict=True)]
        if all(a.out_channels == b.in_channels for a, b in itertools.pairwise(chosen)):
            key = sign * sum(c.num_macs for c in chosen), sum(c.num_params for c in chosen), rows
            best = key if best is None else min(best, key)
    return best[2]


@pytest.mark.parametrize("seed", range(8))
def test_extremes_equal_brute_force_with_ties_and_widths_that_must_meet(seed):
    tables = random_tables(np.random.default_rng(seed))
    assert extreme_rows(tables, largest=True) == brute_force(tables, -1)
    assert extreme_rows(tables, largest=False) == brute_force(tables, 1)
