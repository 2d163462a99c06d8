"""The best of all architectures, exactly: ratings and costs add up along a chain of blocks whose widths meet.

The budgets are relaxed to prices (see `relaxation`), which bounds every score from below. Then everything that the
bound allows up to some score is looked at (see `search`), and the score is raised until enough is found below it.
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from nasray.analysis.exact.architecture_frame import architecture_frame, check_summed_costs
from nasray.analysis.exact.bounds.relaxation import Relaxation, relax
from nasray.analysis.exact.bounds.widening import slack_holding
from nasray.analysis.exact.chain import Chain, link
from nasray.analysis.exact.completions import exact_completions
from nasray.analysis.exact.exact_sums import rounded_down, rounded_up
from nasray.analysis.exact.search import Found, Search
from nasray.analysis.exact.table_checks import LARGEST_WHOLE
from nasray.analysis.exact.unrated import UNRATED, unrated_candidates
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import ARCHITECTURE, SCORE
from nasray.search_spaces.costs.uncounted import uncounted_operators

__all__ = ["ARCHITECTURE", "RANK", "SCORE", "top_architectures"]

_FIRST_LOOK = 16  # architectures to look at first, for each that is wanted
_GROWTH = 16  # how many times more to look at next

RANK = "rank"


def top_architectures(
    tables: Sequence[pd.DataFrame],
    budgets: Mapping[str, float] | None = None,
    k: int = 100,
    *,
    time_limit_seconds: float | None = None,
) -> pd.DataFrame:
    """The `k` best of all architectures within the budgets, best first; all of them if there are fewer.

    An architecture takes one row of each table; its score is the sum of their ratings, lower is better, and equal
    scores are in the order of the IDs. Sums are compared as they are, with each other and with the budgets; only what
    is returned is rounded, to the nearest float64. Rows without a rating are left out. Where two neighbouring tables
    have the columns `out_channels` and `in_channels`, only rows whose widths are equal follow each other.

    Args:
        tables: One table per block with the columns `candidate` and `rating`.
        budgets: Upper bound, inclusive and finite, of the sum of a cost: any column of numbers that all tables have.
        k: How many architectures.
        time_limit_seconds: When to stop with the best found so far. It is worth giving where many blocks have
            several budgets, or where tight budgets meet ratings of few different values.

    Returns:
        A frame with the columns `rank` from 1 on, `architecture` (its ID), `score`, and the sum of each cost that
        all tables have: those of `nasray.search_spaces.artefacts.costs`, and what has a budget. Its
        `attrs["certificate"]` holds `proved`, a certain `lower_bound` of the best score, by how much the last score
        may exceed what is not listed (`gap`: 0 if proved, infinite if fewer than `k` are found so far), the number
        of architectures looked at (`num_enumerated`), the Lagrange multiplier of each budget (`multipliers`), and the
        operators whose multiply-accumulates are not in `num_macs` (`uncounted`). All of this is of architectures whose
        candidates are rated; its `attrs["unrated"]` names the others, see `Unrated`.

    Raises:
        UserError: If no architecture keeps the budgets, or an argument is not as described.
    """
    started = time.monotonic()
    if k < 1:
        raise UserError(f"the number of architectures to list must be at least 1, got {k}")
    if time_limit_seconds is not None and not time_limit_seconds > 0:
        raise UserError(f"the time limit must be positive, got {time_limit_seconds} s")
    budgets = budgets or {}
    chain = link(tables, budgets)
    check_summed_costs(tables, budgets)
    deadline = np.inf if time_limit_seconds is None else started + time_limit_seconds
    relaxation = _relax_feasible(chain, deadline)
    found, floor = _widen(chain, relaxation, k, deadline)
    if found.complete and not len(found.scores):
        raise _unmeetable(chain)
    frame = architecture_frame(tables, chain, found.rows, budgets)
    frame.insert(0, RANK, np.arange(1, len(frame) + 1, dtype=np.int64))
    uncounted = sorted(set().union(*map(uncounted_operators, tables)))
    frame.attrs["certificate"] = _certificate(chain, relaxation, k, found, floor, budgets) | {
        "uncounted": uncounted
    }
    frame.attrs[UNRATED] = [one.data() for one in unrated_candidates(tables)]
    return frame


def _relax_feasible(chain: Chain, deadline: float) -> Relaxation:
    """The relaxation of `chain`.

    Raises:
        UserError: If it shows that a budget cannot be met, or not together with the others.
    """
    for cost in chain.costs:
        smallest = exact_completions(chain, cost)[0][0]
        if not cost.allows(smallest):
            raise UserError(
                f"the budget of {cost.name} must be at least {_told(smallest)}, the smallest of all rated"
                f" architectures, got {_told(cost.limit)}"
            )
    relaxation = relax(chain, deadline)
    if relaxation.bound > _highest_score(chain):
        raise _unmeetable(chain)
    return relaxation


def _told(number: Fraction | None) -> str:
    """A number in full, the next float64 above where it is none."""
    assert number is not None  # all costs of a chain have a limit
    return str(number) if number.denominator == 1 and number <= LARGEST_WHOLE else repr(rounded_up(number))


def _highest_score(chain: Chain) -> float:
    """What the score of no architecture exceeds."""
    highest = sum(float(block.ratings.max()) for block in chain.blocks)
    return highest + chain.rounding(highest)


def _unmeetable(chain: Chain) -> UserError:
    budgets = ", ".join(f"{cost.name} {_told(cost.limit)}" for cost in chain.costs)
    return UserError(
        f"each budget can be met, but no rated architecture meets all together; raise some of {budgets}"
    )


def _widen(chain: Chain, relaxation: Relaxation, k: int, deadline: float) -> tuple[Found, float]:
    """The `k` best architectures, complete if proved, and what the score of no other falls below."""
    search, highest = Search(chain, relaxation), _highest_score(chain)
    floor, num_enumerated = relaxation.bound, 0
    found = Found.nothing(chain)
    for threshold in _thresholds(chain, relaxation, k, deadline):
        # The k-th best found so far is certainly high enough.
        up_to = min(threshold, highest, _last(chain, found, k))
        before, found = found, search.best(k, up_to, deadline)
        num_enumerated += found.num_enumerated
        if not found.complete:
            found = _union(before, found, k)
            break
        floor = up_to
        if up_to >= min(highest, _last(chain, found, k)):
            break
    return dataclasses.replace(found, num_enumerated=num_enumerated), floor


def _last(chain: Chain, found: Found, k: int) -> float:
    """What the `k`-th best of what was found certainly does not exceed, infinite if there are fewer."""
    if len(found.scores) < k:
        return np.inf
    last = float(found.scores[-1])
    return last + chain.rounding(last)


def _thresholds(chain: Chain, relaxation: Relaxation, k: int, deadline: float) -> Iterator[float]:
    """Rising scores that more and more architectures may have; the last is infinite."""
    number, threshold = float(_FIRST_LOOK * k), -np.inf
    while threshold < np.inf:
        wider = relaxation.bound + slack_holding(chain, relaxation, number, deadline)
        if wider > threshold or time.monotonic() > deadline:
            yield (threshold := wider)
        number *= _GROWTH


def _union(first: Found, second: Found, k: int) -> Found:
    """The best `k` of what two incomplete searches found."""
    # Rows are numbered in the order of IDs, which is thus the order of the unique ones.
    rows, positions = np.unique(np.concatenate([first.rows, second.rows]), axis=0, return_index=True)
    scores = np.concatenate([first.scores, second.scores])[positions]
    digits = np.concatenate([first.digits, second.digits], axis=1)[:, positions]
    order = np.lexsort(digits[::-1])[:k]
    return Found(scores[order], digits[:, order], rows[order], num_enumerated=0, complete=False)


def _certificate(
    chain: Chain, relaxation: Relaxation, k: int, found: Found, floor: float, budgets: Mapping[str, float]
) -> dict[str, Any]:
    """What is certain about `found`, when no other score falls below `floor`."""
    scores = chain.score.sums.fractions(found.digits[:, [0, -1]]) if len(found.scores) else []
    least = chain.score.unscaled(floor)
    gap = 0.0 if found.complete else np.inf
    if len(found.scores) == k and not found.complete:
        gap = max(0.0, rounded_up(scores[-1] - least))
    return {
        "proved": found.complete,
        "lower_bound": rounded_down(min([least, *scores])),
        "gap": gap,
        "num_enumerated": found.num_enumerated,
        "multipliers": dict.fromkeys(budgets, 0.0) | _multipliers(chain, relaxation),
    }


def _multipliers(chain: Chain, relaxation: Relaxation) -> dict[str, float]:
    """The price of a unit of each cost that has a limit, the largest float64 if it is beyond that."""
    exponents = [chain.score.exponent - cost.exponent for cost in chain.costs]
    with np.errstate(over="ignore"):
        prices = np.nan_to_num(np.ldexp(relaxation.multipliers, np.array(exponents, np.int64)))
    return {cost.name: price for cost, price in zip(chain.costs, prices.tolist(), strict=True)}
