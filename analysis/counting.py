"""How many of all architectures are feasible, and how many of these are better than a given one."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.chain import Chain, link
from analysis.exact_count import count_all, count_exactly
from analysis.grid_count import bound_count
from analysis.relaxation import relax
from analysis.search import Search
from analysis.widening import num_within

_MOST_ENUMERATED = 2**24  # architectures to look at one by one for an exact count


@dataclass(frozen=True, slots=True)
class Count:
    """A number of architectures, or certain bounds on it.

    Attributes:
        lower: The number is at least this.
        upper: The number is at most this.
    """

    lower: int
    upper: int

    @property
    def exact(self) -> bool:
        """Whether the number is known."""
        return self.lower == self.upper


def count_feasible(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float] | None = None) -> Count:
    """How many architectures of rated candidates keep the budgets; exact without budgets.

    Args:
        tables: The ratings of each block, as for `analysis.ranking.top_architectures`.
        budgets: Upper bound, inclusive, of the sum of a cost.

    Raises:
        ValueError: If the tables or the budgets are not what `top_architectures` asks for.
    """
    chain = _without_loose_limits(link(tables, budgets))
    number = _count_exactly(chain)
    return Count(*bound_count(chain)) if number is None else Count(number, number)


def count_better(
    tables: Sequence[pd.DataFrame], score: float, budgets: Mapping[str, float] | None = None
) -> Count:
    """How many architectures within the budgets have a strictly lower score.

    Exact for spaces up to some 10^8 architectures (10^12 without budgets), for larger ones where the sums of
    few different ratings coincide, and for the best few millions of any space; else certain bounds.

    Args:
        tables: The ratings of each block, as for `analysis.ranking.top_architectures`.
        score: Sum of the ratings, added up from the first block on.
        budgets: Upper bound, inclusive, of the sum of a cost.

    Raises:
        ValueError: If the score is not a number, or the tables or the budgets are not what `top_architectures`
            asks for.
    """
    if np.isnan(score):
        raise ValueError("score must be a number, got NaN")
    chain = link(tables, budgets)
    # To be below the score is to be up to the next lower number.
    up_to = float(np.nextafter(score, -np.inf))
    limited = _without_loose_limits(_with_score_limit(chain, up_to))
    number = _count_exactly(limited)
    if number is None:
        relaxation = relax(chain)
        if num_within(chain, relaxation, up_to - relaxation.bound) <= _MOST_ENUMERATED:
            number = Search(chain, relaxation).count(up_to)
    return Count(*bound_count(limited)) if number is None else Count(number, number)


def _count_exactly(chain: Chain) -> int | None:
    """How many architectures keep the limits of `chain`, None where telling would take too much."""
    return count_exactly(chain) if len(chain.limits) else count_all(chain)


def _with_score_limit(chain: Chain, up_to: float) -> Chain:
    """The chain with the score as one more cost."""
    blocks = [
        dataclasses.replace(block, costs=np.vstack([block.ratings, block.costs])) for block in chain.blocks
    ]
    return Chain(
        blocks=tuple(blocks),
        cost_names=("score", *chain.cost_names),
        limits=np.append(up_to, chain.limits),
        whole=np.append(False, chain.whole),
    )


def _without_loose_limits(chain: Chain) -> Chain:
    """The chain with only those limits that not every architecture keeps."""
    largest = np.sum([block.costs.max(axis=1) for block in chain.blocks], axis=0)
    binding = largest + chain.roundings > chain.limits
    blocks = [dataclasses.replace(block, costs=block.costs[binding]) for block in chain.blocks]
    return Chain(
        blocks=tuple(blocks),
        cost_names=tuple(np.array(chain.cost_names, dtype=object)[binding]),
        limits=chain.limits[binding],
        whole=chain.whole[binding],
    )
