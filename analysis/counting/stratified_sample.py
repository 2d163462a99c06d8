"""Architectures spread evenly over the range of scores, so that evidence is about the whole ranking.

Source: ours. Within a stratum of scores every architecture is as likely as any other: a cell of a grid of scores is
drawn by the number of architectures on it, then block after block a row by the number of ways in which it goes on;
what misses the stratum or a budget is drawn again. Where budgets bind, few with a good or a middling score keep them.
Those are drawn in two more ways, uniform as well: among all whose priced score (see `relaxation`) allows them to be in
the stratum, and among all whose priced costs allow them to keep the budgets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasray.analysis.counting.distribution import Numbers, ScoreGrid
from nasray.analysis.exact.architecture_frame import architecture_frame
from nasray.analysis.exact.bounds.relaxation import relax
from nasray.analysis.exact.chain import Chain, link
from nasray.analysis.exact.ranking import RANK, top_architectures
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, RATING, SCORE

_CELLS = 10  # of the grid, per stratum and block
_DRAWS = (32, 256, 1024, 1024, 1024)  # in each of three ways, one after the other until one is kept

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChainSampler:
    """Draws chains by the sums of a value of their rows.

    Attributes:
        grid: The sums.
        completions: See `ScoreGrid.completions`, the first boundary first.
    """

    grid: ScoreGrid
    completions: list[Numbers]

    @classmethod
    def of(cls, chain: Chain, values: Sequence[NDArray[np.float64]], cell: float) -> "ChainSampler":
        """The sampler by `values`, one per row of each block, on a grid with cells of that size."""
        grid = ScoreGrid.lay(chain, values, cell)
        return cls(grid, list(grid.completions(np.dtype(np.float64)))[::-1])

    def draw(self, low: float, high: float, num: int, rng: np.random.Generator) -> Rows:
        """The rows of `num` chains, uniform among all with a sum from `low` to `high` and some around, [num, K]."""
        (shares,) = self.completions[0]
        bounds = np.array([low - self.grid.rounding, high + self.grid.rounding]) - self.grid.origin
        first, last = np.clip(
            np.rint(bounds / self.grid.cell), [0, -1], [len(shares), len(shares) - 1]
        ).astype(int)
        if not shares[first : last + 1].any():
            return np.empty((0, len(self.grid.kinds)), np.int64)
        rests = first + _choose(np.tile(shares[first : last + 1], (num, 1)), rng)
        widths, rows = np.zeros(num, np.int64), []
        for kinds, after in zip(self.grid.kinds, self.completions[1:], strict=True):
            left = rests[:, np.newaxis] - kinds.offsets
            goes_on = (left >= 0) & (left < after.shape[1]) & (widths[:, np.newaxis] == kinds.entries)
            ways = kinds.counts * after[kinds.exits, np.where(goes_on, left, 0)]
            chosen = _choose(np.where(goes_on, ways, 0.0), rng)
            starts = np.cumsum(kinds.counts) - kinds.counts
            rows.append(kinds.rows[starts[chosen] + rng.integers(kinds.counts[chosen])])
            rests, widths = rests - kinds.offsets[chosen], kinds.exits[chosen]
        return np.stack(rows, axis=1)


@dataclass(frozen=True, slots=True)
class _Strata:
    """Ranges of scores of equal width, and what draws from them.

    Attributes:
        chain: All architectures.
        edges: Ascending, as searches see scores, [number of strata + 1].
        by_score: Draws by the score.
        by_price: Draws by the priced score.
        by_cost: Draws by the priced costs alone.
        priced_limits: What all budgets are worth together.
    """

    chain: Chain
    edges: NDArray[np.float64]
    by_score: ChainSampler
    by_price: ChainSampler
    by_cost: ChainSampler
    priced_limits: float

    @classmethod
    def between(cls, chain: Chain, best: float, worst: float, num: int) -> "_Strata":
        """So many strata from the best score to the worst, both as they are."""
        best, worst = (chain.score.scaled(Fraction(score)) for score in (best, worst))
        multipliers = relax(chain).multipliers
        cell = (worst - best) / (num * _CELLS * len(chain.blocks)) or 1.0
        ratings = [block.ratings for block in chain.blocks]
        costs = [multipliers @ block.costs for block in chain.blocks]
        return cls(
            chain=chain,
            edges=np.linspace(best, worst, num + 1),
            by_score=ChainSampler.of(chain, ratings, cell),
            by_price=ChainSampler.of(chain, list(map(np.add, ratings, costs)), cell),
            by_cost=ChainSampler.of(chain, costs, cell),
            priced_limits=float(multipliers @ chain.limits),
        )

    def draw(
        self, stratum: int, taken: set[tuple[int, ...]], rng: np.random.Generator
    ) -> tuple[int, ...] | None:
        """The rows of a random architecture of a stratum that is not taken; None if the draws find none."""
        for num in _DRAWS:
            for rows in self._propose(stratum, num, rng):
                for found in map(tuple, rows[self._holds(stratum, rows)].tolist()):
                    if found not in taken:
                        return found
        return None

    def _propose(self, stratum: int, num: int, rng: np.random.Generator) -> Iterator[Rows]:
        """Rows of `num` chains, several times; each time uniform among architectures with all those of the stratum."""
        low, high = self.edges[stratum : stratum + 2]
        yield self.by_score.draw(low, high, num, rng)
        yield self.by_price.draw(-np.inf, high + self.priced_limits, num, rng)
        yield self.by_cost.draw(-np.inf, self.priced_limits, num, rng)

    def _holds(self, stratum: int, rows: Rows) -> NDArray[np.bool_]:
        """Which architectures are in the stratum and keep the budgets."""
        scores, costs = np.zeros(len(rows)), np.zeros((len(self.chain.limits), len(rows)))
        for block, of_block in zip(self.chain.blocks, rows.T, strict=True):
            scores, costs = scores + block.ratings[of_block], costs + block.costs[:, of_block]
        strata = np.searchsorted(self.edges[1:-1], scores, side="right")
        return (strata == stratum) & self.chain.keeps_limits(costs, rows)


def sample_by_score(
    tables: Sequence[pd.DataFrame],
    num: int,
    *,
    budgets: Mapping[str, float] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Different architectures within the budgets, spread evenly over the range of their scores, best first.

    The range from the best score within the budgets to the worst is cut into `num` strata of equal width; each gives an
    architecture, uniformly at random among its own. A stratum in which 10,080 draws find none counts as empty, and
    others give more, again spread evenly; what no stratum gives is taken from the best.

    Args:
        tables: The ratings of each block, as for `nasray.analysis.exact.ranking.top_architectures`.
        num: How many architectures. If there are fewer within the budgets, all of them are given.
        budgets: Upper bound, inclusive, of the sum of a cost.
        seed: Decides the draws.

    Returns:
        A frame with the columns `architecture` (its ID), `score`, and the costs as in a ranking.

    Raises:
        UserError: If no architecture keeps the budgets, or an argument is not as described.
    """
    if num < 1:
        raise UserError(f"num must be at least 1, got {num}")
    best = top_architectures(tables, budgets, num).drop(columns=RANK)
    best.attrs = {}
    if len(best) < num:
        return best
    reversed_tables = [table.assign(**{RATING: -table[RATING]}) for table in tables]
    worst = -float(top_architectures(reversed_tables, budgets, 1)[SCORE].iloc[0])
    chain = link(tables, budgets)
    strata = _Strata.between(chain, float(best[SCORE].iloc[0]), worst, num)
    drawn = _draw_all(strata, num, np.random.default_rng(seed))
    sample = architecture_frame(tables, chain, drawn, budgets or {}).astype(best.dtypes.to_dict())
    others = best[~best[ARCHITECTURE].isin(sample[ARCHITECTURE])]
    sample = pd.concat([sample, others.head(num - len(sample))])
    return sample.sort_values([SCORE, ARCHITECTURE], ignore_index=True)


def _draw_all(strata: _Strata, num: int, rng: np.random.Generator) -> Rows:
    """The rows of `num` different architectures, evenly of all strata that have one; fewer if these have no more."""
    taken: set[tuple[int, ...]] = set()
    live = list(range(num))
    while live and len(taken) < num:
        missing = min(num - len(taken), len(live))
        givers = [live[int((place + 0.5) * len(live) / missing)] for place in range(missing)]
        for stratum in givers:
            rows = strata.draw(stratum, taken, rng)
            if rows is None:
                live.remove(stratum)
            else:
                taken.add(rows)
    return np.array(sorted(taken), np.int64).reshape(len(taken), len(strata.chain.blocks))


def _choose(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """For each row of `weights` a column at random, as likely as its weight, [N]."""
    totals = np.cumsum(weights, axis=1)
    points = rng.random((len(weights), 1)) * totals[:, -1:]
    return (totals <= points).sum(axis=1)
