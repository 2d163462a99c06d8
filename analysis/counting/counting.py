"""Numbers of architectures: those within the budgets, and those better than a given one."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational

import numpy as np
import pandas as pd

from nasray.analysis.counting.exact_count import count_all, count_exactly
from nasray.analysis.counting.grid_count import bound_count
from nasray.analysis.exact.bounds.relaxation import relax
from nasray.analysis.exact.bounds.widening import num_within
from nasray.analysis.exact.chain import Chain, link, link_within
from nasray.analysis.exact.completions import exact_completions
from nasray.analysis.exact.search import Search
from nasray.analysis.exact.table_checks import check_budgets
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import RATING

_MOST_ENUMERATED = 2**24  # architectures to look at one by one for an exact count
_TINY = Fraction(math.ulp(0.0)) / 2  # all sums of float64 numbers are even multiples of it


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
        tables: The ratings of each block, as for `nasray.analysis.exact.ranking.top_architectures`.
        budgets: Upper bound, inclusive, of the sum of a cost.

    Raises:
        UserError: If the tables or the budgets are not what `top_architectures` asks for.
    """
    chain = link(tables, budgets)
    number = _count_exactly(chain)
    return Count(*_bound(chain)) if number is None else Count(number, number)


def count_better(
    tables: Sequence[pd.DataFrame], score: float | Fraction, budgets: Mapping[str, float] | None = None
) -> Count:
    """How many architectures within the budgets have a strictly lower score.

    Exact for spaces up to some 10^8 architectures (10^12 without budgets), for larger ones where the sums of
    few different ratings coincide, and for the best few millions of any space; else certain bounds.

    Args:
        tables: The ratings of each block, as for `nasray.analysis.exact.ranking.top_architectures`.
        score: Sum of the ratings: exact as a fraction; a float stands for all sums that are rounded to it, as in a
            ranking.
        budgets: Upper bound, inclusive, of the sum of a cost.

    Raises:
        UserError: If the score is not a number, or the tables or the budgets are not what `top_architectures`
            asks for.
    """
    if not isinstance(score, Rational):
        if math.isnan(score):
            raise UserError("score must be a number, got NaN")
        if math.isinf(score):
            return count_feasible(tables, budgets) if score > 0 else Count(0, 0)
        score = _least_rounded_to(float(score))
    limits = check_budgets(budgets or {})
    up_to = _next_below(Fraction(score))
    limited = link_within(tables, {RATING: up_to, **limits})
    number = _count_exactly(limited)
    if number is None:
        chain = link_within(tables, limits)
        relaxation = relax(chain)
        slack = relaxation.slack(chain.score.scaled(up_to))
        if num_within(chain, relaxation, slack) <= _MOST_ENUMERATED:
            number = Search(chain, relaxation).count(up_to)
    return Count(*_bound(limited)) if number is None else Count(number, number)


def _count_exactly(chain: Chain) -> int | None:
    """How many architectures keep the limits of `chain`, None where telling would take too much."""
    if not all(cost.allows(exact_completions(chain, cost)[0][0]) for cost in chain.costs):
        return 0
    chain = _without_loose_limits(chain)
    return count_exactly(chain) if chain.costs else count_all(chain)


def _bound(chain: Chain) -> tuple[int, int]:
    """Certain bounds on how many architectures keep the limits of `chain`."""
    return bound_count(_without_loose_limits(chain))


def _without_loose_limits(chain: Chain) -> Chain:
    """The chain with only those limits that not every architecture keeps."""
    return chain.only(np.array([not cost.is_loose for cost in chain.costs], np.bool_))


def _least_rounded_to(score: float) -> Fraction:
    """The number from which on others are rounded to a score; itself where ties are rounded to the one below."""
    below = max(math.nextafter(score, -math.inf), -sys.float_info.max)
    halfway = (Fraction(score) + Fraction(below)) / 2
    return halfway if float(halfway) == score else halfway + _TINY


def _next_below(score: Fraction) -> Fraction:
    """A number that no sum of float64 numbers that is below a score exceeds, and no other keeps."""
    return (math.ceil(score / _TINY) - 1) * _TINY
