"""Every architecture up to a score, without touching the others.

Depth first over blocks, many prefixes at a time: a prefix is followed by exactly the rows with which the
Lagrangian bound still allows the score; what cannot meet a budget any more is dropped. A prefix that so few suffixes
may follow that they are known is finished at once (see `suffixes`). Of equal scores the first by ID is the one to keep.

Source: W. M. Carlyle, J. O. Royset and R. K. Wood, "Lagrangian relaxation and enumeration for solving constrained
shortest-path problems", Networks 52 (2008). Deviations: the k best instead of the best, ties by ID, in chunks.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.bounds.nearby_prices import NearbyPrices
from nasray.analysis.exact.bounds.relaxation import Relaxation
from nasray.analysis.exact.chain import Chain, take
from nasray.analysis.exact.completions import exact_completions
from nasray.analysis.exact.exact_sums import Digits, compare
from nasray.analysis.exact.prefixes import Prefixes, num_within, steps
from nasray.analysis.exact.suffixes import Suffixes, best_suffixes

_Scored = tuple[NDArray[np.float64], NDArray[np.int32]]  # scores [N] and rows [N, K] of architectures
_MOST_NUMBERS = 2**22  # that a generation of prefixes may hold, which bounds the memory


@dataclass(frozen=True, slots=True)
class Found:
    """Architectures within the budgets, ordered by score, then ID.

    Attributes:
        scores: As searches see them, see `Column`, [N].
        digits: The exact scores, [L, N].
        rows: Per architecture the row of each block, [N, K].
        num_enumerated: Whole architectures that were looked at.
        complete: Whether the search went to its end.
    """

    scores: NDArray[np.float64]
    digits: Digits
    rows: NDArray[np.int32]
    num_enumerated: int
    complete: bool

    @classmethod
    def nothing(cls, chain: Chain) -> Self:
        """No architecture of `chain`, before any search."""
        digits = np.empty((chain.score.sums.num_digits, 0), np.int64)
        rows = np.empty((0, len(chain.blocks)), np.int32)
        return cls(np.empty(0), digits, rows, num_enumerated=0, complete=False)

    def and_more(
        self, scores: NDArray[np.float64], digits: Digits, rows: NDArray[np.int32], most: int
    ) -> Self:
        """The best `most` of these and others that are not among them."""
        scores, rows = np.concatenate([self.scores, scores]), np.concatenate([self.rows, rows])
        digits = np.concatenate([self.digits, digits], axis=1)
        order = _first(most, digits, rows)
        return dataclasses.replace(self, scores=scores[order], digits=digits[:, order], rows=rows[order])


@dataclass(slots=True)
class _Goal:
    """What a search is to find, and how far it is.

    Attributes:
        up_to: Everything with a score up to this is to be found,
        to_beat: if it is below this, which may sink as better ones are found,
        digits_to_beat: which is this exactly,
        rows_to_beat: or if it has this score, and comes before these rows by ID, if there are any.
        deadline: When to stop, on the monotonic clock.
        num_enumerated: Whole architectures looked at so far.
        complete: Whether everything has been looked at.
    """

    up_to: float
    to_beat: float = np.inf
    digits_to_beat: Digits | None = None
    rows_to_beat: NDArray[np.int32] | None = None
    deadline: float = np.inf
    num_enumerated: int = 0
    complete: bool = False

    @property
    def most(self) -> float:
        """The largest score of what is still looked for."""
        return min(self.up_to, self.to_beat)

    def beaten_by(self, digits: Digits, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which architectures are good enough, by their exact scores and rows, or by the least of prefixes."""
        if self.digits_to_beat is None:
            return np.ones(len(rows), np.bool_)
        signs = compare(digits, self.digits_to_beat)
        beaten = signs < 0
        (equal,) = np.nonzero(signs == 0)
        if self.rows_to_beat is None:
            beaten[equal] = True
        elif len(equal):
            differs = rows[equal] != self.rows_to_beat[: rows.shape[1]]
            first = differs.argmax(axis=1)
            beaten[equal] = (rows[equal, first] < self.rows_to_beat[first]) | ~differs.any(axis=1)
        return beaten


class Search:
    """Finds the best architectures of a chain up to a score."""

    def __init__(self, chain: Chain, relaxation: Relaxation) -> None:
        self._chain = chain
        self._relaxation = relaxation
        self._steps = [*steps(chain, relaxation)]
        self._nearby_prices = NearbyPrices(chain, relaxation)
        self._suffixes = best_suffixes(chain, relaxation)
        self._rough_limits = chain.limits + chain.roundings  # for sums in whatever order
        self._most_pairs = max(1, _MOST_NUMBERS // (len(chain.blocks) + len(chain.limits) + 4))
        # By boundary the digits of the smallest rest of the score behind it, [L, widths].
        self._least_digits = [
            np.array([chain.score.sums.floor(rest) for rest in rests]).T
            for rests in exact_completions(chain, chain.score)
        ]

    def best(self, most: int, up_to: float, deadline: float = np.inf) -> Found:
        """The `most` best architectures, with all up to the score `up_to` among them unless they are more.

        At the `deadline`, on the monotonic clock, the search ends with what it has found.
        """
        goal = _Goal(up_to, deadline=deadline)
        found = Found.nothing(self._chain)
        for some in self._architectures(goal):
            scores, rows = self._promising(found, most, *some)
            if not len(scores):
                continue
            found = found.and_more(scores, self._exact(rows), rows, most)
            if len(found.scores) == most:
                goal.to_beat, goal.rows_to_beat = float(found.scores[-1]), found.rows[-1]
                goal.digits_to_beat = found.digits[:, -1]
        return dataclasses.replace(found, num_enumerated=goal.num_enumerated, complete=goal.complete)

    def count(self, up_to: Fraction) -> int:
        """The number of architectures with a score up to `up_to`, as it is and not as searches see it."""
        score = self._chain.score
        most = score.scaled(up_to)
        goal = _Goal(most + self._chain.rounding(most), to_beat=most, digits_to_beat=score.sums.floor(up_to))
        return sum(len(scores) for scores, _ in self._architectures(goal))

    def _promising(
        self, found: Found, most: int, scores: NDArray[np.float64], rows: NDArray[np.int32]
    ) -> _Scored:
        """Those that may be among the best `most` with what was found, as far as rounded scores tell."""
        together = np.concatenate([found.scores, scores])
        if len(together) <= most:
            return scores, rows
        last = float(np.partition(together, most - 1)[most - 1])
        kept = scores <= last + 2 * self._chain.rounding(last)
        return scores[kept], rows[kept]

    def _exact(self, rows: NDArray[np.int32]) -> Digits:
        """The exact scores of architectures, or of their prefixes, [L, N]."""
        return self._chain.score.sums.total(take(self._chain.score.blocks[: rows.shape[1]], rows))

    def _architectures(self, goal: _Goal) -> Iterator[_Scored]:
        """All architectures within the budgets that reach `goal`, many at a time."""
        stack = [self._root()]
        while stack and time.monotonic() <= goal.deadline:
            prefixes = self._beating(goal, stack.pop())
            depth = prefixes.rows.shape[1]
            slack = self._relaxation.slack(goal.most)
            left = slack - prefixes.excesses
            known = self._suffixes_known(depth, prefixes, left)
            yield from self._finished(depth, prefixes[known], left[known], goal)
            prefixes = prefixes[~known]
            counts = num_within(self._steps[depth], prefixes, slack)
            part = max(1, int(np.searchsorted(np.cumsum(counts), self._most_pairs, side="right")))
            if part < len(prefixes):
                stack.append(prefixes[part:])
            extended = self._extend(depth, prefixes[:part], counts[:part], goal)
            if depth == len(self._steps) - 1:
                goal.num_enumerated += int(counts[:part].sum())
                yield self._reaching(goal, extended.scores, extended.costs, extended.rows)
            elif len(extended):
                stack.append(extended)
        goal.complete = not stack

    def _root(self) -> Prefixes:
        """The prefix of every architecture, of no block yet."""
        return Prefixes(
            rows=np.empty((1, 0), np.int32),
            widths=np.zeros(1, np.int64),
            excesses=np.zeros(1),
            scores=np.zeros(1),
            costs=np.zeros((len(self._chain.limits), 1)),
        )

    def _reaching(
        self, goal: _Goal, scores: NDArray[np.float64], costs: NDArray[np.float64], rows: NDArray[np.int32]
    ) -> _Scored:
        """Those whole architectures that keep the budgets and reach `goal`, exactly."""
        kept = self._chain.keeps_limits(costs, rows)
        (doubtful,) = np.nonzero(kept & (scores >= goal.to_beat - self._chain.rounding(goal.to_beat)))
        if len(doubtful):
            kept[doubtful] = goal.beaten_by(self._exact(rows[doubtful]), rows[doubtful])
        return scores[kept], rows[kept]

    def _beating(self, goal: _Goal, prefixes: Prefixes) -> Prefixes:
        """Those that may still lead to what beats what was found, down to the last bit of its sum.

        Without this, ties would make the search walk through all that merely equals what was found.
        """
        depth = prefixes.rows.shape[1]
        least = prefixes.scores + self._steps[depth].least_rests[prefixes.widths]
        rounding = self._chain.rounding(goal.to_beat)
        kept = least <= goal.to_beat + rounding
        (doubtful,) = np.nonzero(kept & (least >= goal.to_beat - rounding))
        if len(doubtful):
            own, rests = self._exact(prefixes.rows[doubtful]), self._least_digits[depth]
            digits = self._chain.score.sums.add(np.stack([own, rests[:, prefixes.widths[doubtful]]], axis=1))
            kept[doubtful] = goal.beaten_by(digits, prefixes.rows[doubtful])
        return prefixes if kept.all() else prefixes[kept]

    def _suffixes_known(self, depth: int, prefixes: Prefixes, left: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of which prefixes all suffixes are known whose excess is not more than what is left for it."""
        complete_to = np.array([suffixes.complete_to for suffixes in self._suffixes[depth]])
        return left <= complete_to[prefixes.widths]

    def _finished(
        self, depth: int, prefixes: Prefixes, left: NDArray[np.float64], goal: _Goal
    ) -> Iterator[_Scored]:
        """The architectures that reach `goal` among the prefixes with their suffixes, many at a time."""
        for width, suffixes in enumerate(self._suffixes[depth]):
            (entered,) = np.nonzero(prefixes.widths == width)
            counts = np.searchsorted(suffixes.excesses, left[entered], side="right")
            goal.num_enumerated += int(counts.sum())
            parts = np.cumsum(counts) // self._most_pairs
            for part in range(parts[-1] + 1 if len(parts) else 0):
                (own,) = np.nonzero(parts == part)
                yield self._ended(depth, prefixes[entered[own]], counts[own], suffixes, goal)

    def _ended(
        self, depth: int, prefixes: Prefixes, counts: NDArray[np.int64], suffixes: Suffixes, goal: _Goal
    ) -> _Scored:
        """What reaches `goal` of `prefixes` with their first `counts` suffixes."""
        parents = np.repeat(np.arange(len(prefixes)), counts)
        chosen = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        for costs, of_suffixes, limit in zip(prefixes.costs, suffixes.costs, self._rough_limits, strict=True):
            affordable = costs[parents] + of_suffixes[chosen] <= limit
            parents, chosen = parents[affordable], chosen[affordable]
        to_beat = goal.to_beat + self._chain.rounding(goal.to_beat)
        scores = prefixes.scores[parents] + suffixes.scores[chosen]
        promising = scores <= to_beat
        parents, chosen = parents[promising], chosen[promising]
        return self._reaching(
            goal,
            scores[promising],
            prefixes.costs[:, parents] + suffixes.costs[:, chosen],
            np.hstack([prefixes.rows[parents], suffixes.rows[chosen]]),
        )

    def _extend(self, depth: int, prefixes: Prefixes, counts: NDArray[np.int64], goal: _Goal) -> Prefixes:
        """`prefixes` followed by their first `counts` rows by excess, without what is seen to be in vain."""
        step, block = self._steps[depth], self._steps[depth].block
        parents = np.repeat(np.arange(len(prefixes)), counts)
        firsts = step.starts[prefixes.widths] - (np.cumsum(counts) - counts)
        rows = step.by_excess[np.repeat(firsts, counts) + np.arange(len(parents))]
        for costs, rests, limit in zip(prefixes.costs, step.least_costs, self._rough_limits, strict=True):
            affordable = costs[parents] + rests[rows] <= limit
            parents, rows = parents[affordable], rows[affordable]
        to_beat = goal.to_beat + self._chain.rounding(goal.to_beat)
        promising = prefixes.scores[parents] + step.least_scores[rows] <= to_beat
        parents, rows = parents[promising], rows[promising]
        scores = prefixes.scores[parents] + block.ratings[rows]
        costs = prefixes.costs[:, parents] + block.costs[:, rows]
        kept = self._nearby_prices.allowing(depth, scores, costs, block.exits[rows], goal.most)
        # In the order of IDs, so that of equal scores those that are kept come early.
        order = kept[np.argsort(parents[kept] * len(block.ratings) + rows[kept])]
        return prefixes[parents[order]].followed_by(step, rows[order])


def _first(most: int, digits: Digits, rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where the first architectures by score, then ID, stand."""
    order = np.lexsort(digits[::-1])
    if len(order) > most:
        order = order[compare(digits[:, order], digits[:, order[[most - 1]]]) <= 0]
    if (np.diff(digits[:, order], axis=1) == 0).all(axis=0).any():
        order = order[np.lexsort((*rows[order].T[::-1], *digits[::-1, order]))]
    return order[:most]
