"""The best of all architectures, exactly: ratings and costs add up along a chain of blocks whose widths meet.

The budgets are relaxed to prices (see `relaxation`), which bounds every score from below. Then everything that the
bound allows up to some score is looked at (see `search`), and the score is raised until enough is found below it.
"""

import dataclasses
import functools
import operator
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.chain import SEPARATOR, Chain, link
from analysis.relaxation import Relaxation, relax, smallest_completions
from analysis.search import Found, Search
from analysis.unrated import UNRATED, unrated_candidates
from analysis.widening import slack_holding
from search_spaces.rating_table import CANDIDATE, NUM_MACS, NUM_PARAMS

_FIRST_LOOK = 16  # architectures to look at first, for each that is wanted
_GROWTH = 16  # how many times more to look at next

RANK = "rank"
ARCHITECTURE = "architecture"
SCORE = "score"
_TIME_SUFFIX = "_ms"


def top_architectures(
    tables: Sequence[pd.DataFrame],
    budgets: Mapping[str, float] | None = None,
    k: int = 100,
    *,
    time_limit_seconds: float | None = None,
) -> pd.DataFrame:
    """The `k` best of all architectures within the budgets, best first; all of them if there are fewer.

    An architecture takes one row of each table; its score is the sum of their ratings, lower is better, and equal
    scores are in the order of the IDs. Rows without a rating are left out. Where two neighbouring tables have the
    columns `out_channels` and `in_channels`, only rows whose widths are equal follow each other.

    Args:
        tables: One table per block with the columns `candidate` and `rating`.
        budgets: Upper bound, inclusive, of the sum of a cost: any column of numbers that all tables have.
        k: How many architectures.
        time_limit_seconds: When to stop with the best found so far. It is worth giving where many blocks have
            several budgets, or where tight budgets meet ratings of few different values.

    Returns:
        A frame with the columns `rank` from 1 on, `architecture` (its ID), `score`, and the sum of each cost that
        all tables have: `num_params`, `num_macs`, what ends in `_ms`, and what has a budget. Its
        `attrs["certificate"]` holds `proved`, a certain `lower_bound` of the best score, by how much the last score
        may exceed what is not listed (`gap`: 0 if proved, infinite if fewer than `k` are found so far), the number
        of architectures looked at (`num_enumerated`), and the Lagrange multiplier of each budget (`multipliers`). All
        of this is of architectures whose candidates are rated; its `attrs["unrated"]` names the others, see
        `analysis.unrated.Unrated`.

    Raises:
        ValueError: If no architecture keeps the budgets, or an argument is not as described.
    """
    started = time.monotonic()
    if k < 1:
        raise ValueError(f"the number of architectures to list must be at least 1, got {k}")
    if time_limit_seconds is not None and not time_limit_seconds > 0:
        raise ValueError(f"the time limit must be positive, got {time_limit_seconds} s")
    chain = link(tables, budgets)
    relaxation = _relax_feasible(chain)
    deadline = np.inf if time_limit_seconds is None else started + time_limit_seconds
    found, floor = _widen(chain, relaxation, k, deadline)
    if found.complete and not len(found.scores):
        raise _unmeetable(chain)
    budgets = budgets or {}
    frame = _frame(tables, chain, found, budgets)
    frame.attrs["certificate"] = _certificate(chain, relaxation, k, found, floor, budgets)
    frame.attrs[UNRATED] = [one.data() for one in unrated_candidates(tables)]
    return frame


def _relax_feasible(chain: Chain) -> Relaxation:
    """The relaxation of `chain`.

    Raises:
        ValueError: If it shows that a budget cannot be met, or not together with the others.
    """
    for cost, (name, limit, rounding) in enumerate(
        zip(chain.cost_names, chain.limits, chain.roundings, strict=True)
    ):
        smallest = smallest_completions(chain, [block.costs[cost] for block in chain.blocks])[0][0]
        if smallest > limit + rounding:
            raise ValueError(
                f"the budget of {name} must be at least {smallest:.15g}, the smallest of all rated architectures,"
                f" got {limit:.15g}"
            )
    relaxation = relax(chain)
    if relaxation.bound > _highest_score(chain, relaxation):
        raise _unmeetable(chain)
    return relaxation


def _highest_score(chain: Chain, relaxation: Relaxation) -> float:
    """What the score of no architecture exceeds."""
    return sum(float(block.ratings.max()) for block in chain.blocks) + relaxation.rounding


def _unmeetable(chain: Chain) -> ValueError:
    budgets = ", ".join(
        f"{name} {limit:.15g}" for name, limit in zip(chain.cost_names, chain.limits, strict=True)
    )
    return ValueError(
        f"each budget can be met, but no rated architecture meets all together; raise some of {budgets}"
    )


def _widen(chain: Chain, relaxation: Relaxation, k: int, deadline: float) -> tuple[Found, float]:
    """The `k` best architectures, complete if proved, and what the score of no other falls below."""
    search, highest = Search(chain, relaxation), _highest_score(chain, relaxation)
    floor, num_enumerated = relaxation.bound, 0
    found = Found.nothing(chain)
    for threshold in _thresholds(chain, relaxation, k):
        # The k-th best found so far is certainly high enough.
        up_to = min(threshold, found.scores[-1]) if len(found.scores) == k else threshold
        before, found = found, search.best(k, up_to, deadline)
        num_enumerated += found.num_enumerated
        if not found.complete:
            found = _union(before, found, k)
            break
        floor = up_to
        if up_to >= highest or (len(found.scores) == k and found.scores[-1] <= up_to):
            break
    return dataclasses.replace(found, num_enumerated=num_enumerated), floor


def _thresholds(chain: Chain, relaxation: Relaxation, k: int) -> Iterator[float]:
    """Rising scores that more and more architectures may have; the last is infinite."""
    number, threshold = float(_FIRST_LOOK * k), -np.inf
    while threshold < np.inf:
        wider = relaxation.bound + slack_holding(chain, relaxation, number)
        if wider > threshold:
            yield (threshold := wider)
        number *= _GROWTH


def _union(first: Found, second: Found, k: int) -> Found:
    """The best `k` of what two incomplete searches found."""
    # Rows are numbered in the order of IDs, which is thus the order of the unique ones.
    rows, positions = np.unique(np.concatenate([first.rows, second.rows]), axis=0, return_index=True)
    scores = np.concatenate([first.scores, second.scores])[positions]
    order = np.argsort(scores, kind="stable")[:k]
    return Found(scores[order], rows[order], num_enumerated=0, complete=False)


def _frame(
    tables: Sequence[pd.DataFrame], chain: Chain, found: Found, budgets: Mapping[str, float]
) -> pd.DataFrame:
    """The architectures found, with the sums of their costs."""
    chosen = [
        table.iloc[block.table_rows[rows]]
        for table, block, rows in zip(tables, chain.blocks, found.rows.T, strict=True)
    ]
    names = [table[CANDIDATE].to_numpy(object) for table in chosen]
    columns: dict[str, Any] = {
        RANK: np.arange(1, len(found.scores) + 1),
        ARCHITECTURE: [SEPARATOR.join(candidates) for candidates in zip(*names, strict=True)],
        SCORE: found.scores,
    }
    for cost in _common_costs(tables, budgets):
        whole = all(pd.api.types.is_integer_dtype(table[cost].dtype) for table in tables)
        values = [table[cost].to_numpy(np.int64 if whole else np.float64) for table in chosen]
        columns[cost] = functools.reduce(operator.add, values)
    return pd.DataFrame(columns).astype({RANK: np.int64, ARCHITECTURE: str})


def _common_costs(tables: Sequence[pd.DataFrame], budgets: Mapping[str, float]) -> list[str]:
    """The columns that add up and that all tables have, in the order of the first table."""
    return [
        column
        for column in tables[0].columns
        if (column in (NUM_PARAMS, NUM_MACS) or column in budgets or column.endswith(_TIME_SUFFIX))
        and all(column in table.columns for table in tables)
    ]


def _certificate(
    chain: Chain, relaxation: Relaxation, k: int, found: Found, floor: float, budgets: Mapping[str, float]
) -> dict[str, Any]:
    """What is certain about `found`, when no other score falls below `floor`."""
    last = float(found.scores[-1]) if len(found.scores) == k else np.inf
    best = float(found.scores[0]) if len(found.scores) else np.inf
    multipliers = dict(zip(chain.cost_names, relaxation.multipliers.tolist(), strict=True))
    return {
        "proved": found.complete,
        "lower_bound": min(best, float(floor)),
        "gap": 0.0 if found.complete else max(0.0, last - float(floor)),
        "num_enumerated": found.num_enumerated,
        "multipliers": {name: multipliers.get(name, 0.0) for name in budgets},
    }
