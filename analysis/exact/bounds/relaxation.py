"""Lower bounds on the score of every architecture within its budgets.

Source: M. L. Fisher, "The Lagrangian relaxation method for solving integer programming problems", Management
Science 27 (1981); the multipliers by cutting planes (J. E. Kelley, 1960). What is relaxed is a shortest chain.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from nasray.analysis.exact.chain import Chain

_MOST_CUTS = 200
_FAR = 1e4  # times the spread of most ratings: what is beyond that is told apart from them
_LEAST_SHARE = 1e-300  # of the spread of all, which is not too small to divide by
# In units of the spread of the scores:
_TOLERANCE = 1e-9  # how near to the best bound the cuts end
_LARGEST_PRICE = 1e5  # for all that a budget allows


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Scores in which each cost has a price instead of a limit; all of them as searches see them, see `Column`.

    Attributes:
        chain: What is relaxed.
        multipliers: Price of a unit of each cost, from 0 on, [J].
        best: The best priced score of all.
        excesses: Per block, by how much the best that a row leads to is worse than the best at the width where it
            is entered, [N]; along a chain they add up to its distance from the best of all.
    """

    chain: Chain
    multipliers: NDArray[np.float64]
    best: float
    excesses: tuple[NDArray[np.float64], ...]

    @property
    def worth(self) -> float:
        """What all limits are worth together."""
        return float(self.multipliers @ self.chain.limits)

    @property
    def bound(self) -> float:
        """What the score of no architecture within the budgets falls below."""
        return self.best - self.worth - self.chain.rounding(self.best + abs(self.worth))

    def slack(self, up_to: float) -> float:
        """What the excesses of an architecture within the budgets with a score up to this do not exceed."""
        return up_to + self.worth - self.best + self.chain.rounding(up_to + abs(self.worth))


def smallest_completions(chain: Chain, values: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The smallest sums of `values` from each boundary to the end of the chain, one per width that meets there."""
    completions = [np.zeros(1)]
    for block, of_rows in zip(reversed(chain.blocks), reversed(values), strict=True):
        smallest = np.full(block.num_entries, np.inf)
        np.minimum.at(smallest, block.entries, of_rows + completions[0][block.exits])
        completions.insert(0, smallest)
    return completions


def relax(chain: Chain, deadline: float = np.inf) -> Relaxation:
    """The relaxation of the budgets whose bound is best, up to a tolerance or as far as the deadline allows.

    If no architecture meets all the budgets, the bound may exceed the score of every architecture, which proves it.
    """
    multipliers = _best_multipliers(chain, deadline)
    values = priced(chain, multipliers)
    completions = smallest_completions(chain, values)
    excesses = tuple(
        of_rows + completions[index + 1][block.exits] - completions[index][block.entries]
        for index, (block, of_rows) in enumerate(zip(chain.blocks, values, strict=True))
    )
    return Relaxation(chain, multipliers, float(completions[0][0]), excesses)


def priced(chain: Chain, multipliers: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Per block, its rows' ratings with a price for each unit of cost, [N]."""
    return [block.ratings + multipliers @ block.costs for block in chain.blocks]


def _best_multipliers(chain: Chain, deadline: float) -> NDArray[np.float64]:
    """Multipliers that maximise the Lagrangian bound, by cutting planes.

    Where some ratings are far worse than others, steps that are small in their spread would be large in that of the
    others: the bound is then looked for at the others' first.
    """
    best_bound, best = -np.inf, np.zeros(len(chain.limits))
    for scale in _scales(chain) if len(chain.limits) else ():
        bound, multipliers = _cutting_planes(chain, scale, deadline)
        if bound <= best_bound or time.monotonic() > deadline:
            break
        best_bound, best = bound, multipliers
    return best


def _scales(chain: Chain) -> Iterator[float]:
    """Rising units for scores, from the spread of most ratings to that of all."""
    spread = sum(float(np.ptp(block.ratings)) for block in chain.blocks) or 1.0
    positive = [block.ratings[block.ratings > 0] for block in chain.blocks]
    scale = sum(float(np.median(of_block)) for of_block in positive if len(of_block))
    scale = max(scale, spread * _LEAST_SHARE)
    while scale * _FAR < spread:
        yield scale
        scale *= _FAR
    yield spread


def _cutting_planes(chain: Chain, scale: float, deadline: float) -> tuple[float, NDArray[np.float64]]:
    """A bound and its multipliers, found in units of `scale`."""
    num_costs = len(chain.limits)
    # The linear program sees budgets as 1 and scores in their unit, whatever they are.
    units = np.where(chain.limits > 0, chain.limits, 1.0)
    prices = best_prices = np.zeros(num_costs)
    best_bound = -np.inf
    cuts, scores = np.empty((0, num_costs)), np.empty(0)
    for _ in range(_MOST_CUTS):
        score, costs = _cheapest(chain, prices * scale / units)
        cut = (costs - chain.limits) / units
        bound = score / scale + float(prices @ cut)
        if bound > best_bound:
            best_bound, best_prices = bound, prices
        cuts, scores = np.vstack([cuts, cut]), np.append(scores, score / scale)
        # Maximise t over the prices such that t <= score + prices @ cut for every chain seen.
        program = linprog(
            np.append(np.zeros(num_costs), -1.0),
            A_ub=np.column_stack([-cuts, np.ones(len(cuts))]),
            b_ub=scores,
            bounds=[(0.0, _LARGEST_PRICE)] * num_costs + [(None, None)],
        )
        if program.x is None or program.x[-1] - best_bound < _TOLERANCE or time.monotonic() > deadline:
            break
        prices = np.maximum(program.x[:-1], 0.0)
    return best_bound * scale, best_prices * scale / units


def _cheapest(chain: Chain, multipliers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Score and costs of a chain that is the cheapest under `multipliers`."""
    values = priced(chain, multipliers)
    completions = smallest_completions(chain, values)
    score, costs, width = 0.0, np.zeros(len(multipliers)), 0
    for block, of_rows, after in zip(chain.blocks, values, completions[1:], strict=True):
        totals = np.where(block.entries == width, of_rows + after[block.exits], np.inf)
        row = int(totals.argmin())
        score, costs, width = score + block.ratings[row], costs + block.costs[:, row], block.exits[row]
    return score, costs
