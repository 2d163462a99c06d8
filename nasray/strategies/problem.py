"""The problem that strategies search: the architectures within the budgets, drawn evenly, and their costs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from nasray.analysis.counting.stratified_sample import ChainSampler
from nasray.analysis.exact.chain import link
from nasray.analysis.tables.sums import exact_sums
from nasray.search_spaces.architecture import SEPARATOR
from nasray.search_spaces.artefacts.columns import CANDIDATE, RATING
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.cost import Cost
from nasray.strategies.choices import Choices, choices_of
from nasray.trainables.core.seeding import generator

_CELLS = 4096  # of the grid of costs; a finer one only has fewer draws that exceed the budgets
_DRAWS = 256  # at a time
_MOST_MISSES = 20_000


@dataclass(frozen=True, eq=False)
class Problem:
    """The architectures of a space that keep the budgets.

    Attributes:
        space: All architectures.
        budgets: Upper bound, inclusive, of the sum of a cost.
        tables: What each block's candidates cost, as in the tables of ratings; may be empty where there is no budget.
    """

    space: SearchSpace | CellSpace
    budgets: Mapping[str, float]
    tables: Sequence[pd.DataFrame] = ()

    @cached_property
    def choices(self) -> Choices:
        """The decisions that make an architecture."""
        return choices_of(self.space)

    def cost(self, architecture: str) -> Cost:
        """Parameters and MACs."""
        return self.space.cost(architecture)

    def allows(self, architecture: str) -> bool:
        """Whether an architecture of the space keeps the budgets."""
        sums = exact_sums(architecture, self.tables, list(self.budgets)) if self.budgets else {}
        return all(total is not None and total <= self.budgets[name] for name, total in sums.items())

    def draws(self, seed: int) -> Iterator[str]:
        """Different architectures within the budgets, each drawn uniformly from those that are left.

        Ends when twenty thousand draws in a row find none that is new: in all likelihood there is none.
        """
        rng = generator(seed, "architectures")
        seen: set[str] = set()
        num_misses = 0
        for architecture in self._within_budgets(rng) if self.budgets else self._of_all(rng):
            if architecture not in seen:
                seen.add(architecture)
                num_misses = 0
                yield architecture
            elif (num_misses := num_misses + 1) == _MOST_MISSES:
                return

    def _of_all(self, rng: np.random.Generator) -> Iterator[str]:
        """Architectures of the space, uniform and without end."""
        while True:
            yield str(self.space.sample(rng))

    def _within_budgets(self, rng: np.random.Generator) -> Iterator[str]:
        """Architectures within the budgets, uniform and without end.

        Source: ours. Drawn uniformly from those whose costs, each as a share of its budget, sum up to no more than the
        number of budgets, see `stratified_sample`; those that exceed one of the budgets are drawn again.
        """
        chain = link([table.assign(**{RATING: 0.0}) for table in self.tables], self.budgets)
        limits = chain.limits[:, np.newaxis]
        shares = [(block.costs / np.where(limits > 0, limits, 1.0)).sum(axis=0) for block in chain.blocks]
        cell = sum(float(np.ptp(of_block)) for of_block in shares) / _CELLS or 1.0
        sampler = ChainSampler.of(chain, shares, cell)
        names = [
            table[CANDIDATE].to_numpy()[block.table_rows]
            for table, block in zip(self.tables, chain.blocks, strict=True)
        ]
        num_empty = 0
        while num_empty < _MOST_MISSES // _DRAWS:
            rows = sampler.draw(-np.inf, len(limits), _DRAWS, rng)
            costs = np.zeros((len(limits), len(rows)))
            for block, of_block in zip(chain.blocks, rows.T, strict=True):
                costs += block.costs[:, of_block]
            kept = rows[chain.keeps_limits(costs, rows)]
            num_empty = 0 if len(kept) else num_empty + 1
            for row in kept:
                yield SEPARATOR.join(of_block[index] for of_block, index in zip(names, row, strict=True))
