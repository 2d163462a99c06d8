"""The smallest sums of a column from each boundary of a chain to its end, without rounding."""

from fractions import Fraction

import numpy as np

from nasray.analysis.exact.chain import Chain
from nasray.analysis.exact.column import Column


def exact_completions(chain: Chain, column: Column) -> list[list[Fraction]]:
    """The smallest sum of the values of rows from each boundary to the end, per width that meets there."""
    completions = [[Fraction(0)]]
    for block, values in zip(reversed(chain.blocks), reversed(column.blocks), strict=True):
        after = completions[0]
        smallest = np.full((block.num_entries, len(after)), np.inf)
        np.minimum.at(smallest, (block.entries, block.exits), values)
        before = [
            min(Fraction(value) + rest for value, rest in zip(of_entry, after, strict=True) if value < np.inf)
            for of_entry in smallest.tolist()
        ]
        completions.insert(0, before)
    return completions
