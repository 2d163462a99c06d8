"""Every architecture up to a score, without touching the others.

Depth first over blocks, many beginnings at a time: a beginning is followed by exactly the rows with which the
Lagrangian bound still allows the score; what cannot meet a budget any more is dropped. A beginning that so few endings
may follow that they are known is finished at once (see `endings`). Of equal scores the first by ID is the one to keep.

Source: W. M. Carlyle, J. O. Royset and R. K. Wood, "Lagrangian relaxation and enumeration for solving constrained
shortest-path problems", Networks 52 (2008). Deviations: the k best instead of the best, ties by ID, in chunks.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.beginnings import Beginnings, num_within, steps
from analysis.chain import Chain
from analysis.endings import Endings, best_endings
from analysis.nearby_prices import NearbyPrices
from analysis.relaxation import Relaxation

_Scored = tuple[NDArray[np.float64], NDArray[np.int32]]  # scores [N] and rows [N, K] of architectures
_MOST_NUMBERS = 2**22  # that a generation of beginnings may hold, which bounds the memory


@dataclass(frozen=True, slots=True)
class Found:
    """Architectures within the budgets, ordered by score, then ID.

    Attributes:
        scores: [N], ascending.
        rows: Per architecture the row of each block, [N, K].
        num_enumerated: Whole architectures that were looked at.
        complete: Whether the search went to its end.
    """

    scores: NDArray[np.float64]
    rows: NDArray[np.int32]
    num_enumerated: int
    complete: bool

    @classmethod
    def nothing(cls, chain: Chain) -> Self:
        """No architecture of `chain`, before any search."""
        return cls(np.empty(0), np.empty((0, len(chain.blocks)), np.int32), num_enumerated=0, complete=False)


@dataclass(slots=True)
class _Goal:
    """What a search is to find, and how far it is.

    Attributes:
        up_to: Everything with a score up to this is to be found,
        to_beat: if it is below this, which may sink as better ones are found,
        rows_to_beat: or if it has this score, and comes before these rows by ID.
        deadline: When to stop, on the monotonic clock.
        num_enumerated: Whole architectures looked at so far.
        complete: Whether everything has been looked at.
    """

    up_to: float
    to_beat: float = np.inf
    rows_to_beat: NDArray[np.int32] | None = None
    deadline: float = np.inf
    num_enumerated: int = 0
    complete: bool = False

    @property
    def most(self) -> float:
        """The largest score of what is still looked for."""
        return min(self.up_to, self.to_beat)

    def beaten_by(self, scores: NDArray[np.float64], rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which architectures are good enough, by their scores and rows, or by the least scores of beginnings."""
        beaten = scores < self.to_beat
        (equal,) = np.nonzero(scores == self.to_beat)
        if self.rows_to_beat is not None and len(equal):
            differs = rows[equal] != self.rows_to_beat[: rows.shape[1]]
            first = differs.argmax(axis=1)
            beaten[equal] = (rows[equal, first] < self.rows_to_beat[first]) | ~differs.any(axis=1)
        return beaten


class Search:
    """Finds the best architectures of a chain up to a score."""

    def __init__(self, chain: Chain, relaxation: Relaxation) -> None:
        self._chain = chain
        self._bound = relaxation.bound
        self._rounding = relaxation.rounding
        self._steps = [*steps(chain, relaxation)]
        self._nearby_prices = NearbyPrices(chain, relaxation)
        self._endings = best_endings(chain, relaxation)
        self._rough_limits = chain.limits + chain.roundings  # for sums in whatever order
        self._most_pairs = max(1, _MOST_NUMBERS // (len(chain.blocks) + len(chain.limits) + 4))

    def best(self, most: int, up_to: float, deadline: float = np.inf) -> Found:
        """The `most` best architectures, with all up to the score `up_to` among them unless they are more.

        At the `deadline`, on the monotonic clock, the search ends with what it has found.
        """
        goal = _Goal(up_to, deadline=deadline)
        scores, rows = np.empty(0), np.empty((0, len(self._steps)), np.int32)
        for better_scores, better_rows in self._architectures(goal):
            scores, rows = np.concatenate([scores, better_scores]), np.concatenate([rows, better_rows])
            order = _first(most, scores, rows)
            scores, rows = scores[order], rows[order]
            if len(scores) == most:
                goal.to_beat, goal.rows_to_beat = float(scores[-1]), rows[-1]
        return Found(scores, rows, goal.num_enumerated, goal.complete)

    def count(self, up_to: float) -> int:
        """The number of architectures with a score up to `up_to`."""
        goal = _Goal(up_to, to_beat=float(np.nextafter(up_to, np.inf)))
        return sum(len(scores) for scores, _ in self._architectures(goal))

    def _architectures(self, goal: _Goal) -> Iterator[_Scored]:
        """All architectures within the budgets that reach `goal`, many at a time."""
        stack = [self._root()]
        while stack and time.monotonic() <= goal.deadline:
            beginnings = self._beating(goal, stack.pop())
            depth = beginnings.rows.shape[1]
            left = goal.most - self._bound - beginnings.excesses
            known = self._endings_known(depth, beginnings, left)
            yield from self._finished(depth, beginnings[known], left[known], goal)
            beginnings = beginnings[~known]
            counts = num_within(self._steps[depth], beginnings, goal.most - self._bound)
            part = max(1, int(np.searchsorted(np.cumsum(counts), self._most_pairs, side="right")))
            if part < len(beginnings):
                stack.append(beginnings[part:])
            extended = self._extend(depth, beginnings[:part], counts[:part], goal)
            if depth == len(self._steps) - 1:
                goal.num_enumerated += int(counts[:part].sum())
                kept = goal.beaten_by(extended.scores, extended.rows)
                yield extended.scores[kept], extended.rows[kept]
            elif len(extended):
                stack.append(extended)
        goal.complete = not stack

    def _root(self) -> Beginnings:
        """The beginning of every architecture, of no block yet."""
        return Beginnings(
            rows=np.empty((1, 0), np.int32),
            widths=np.zeros(1, np.int64),
            excesses=np.zeros(1),
            scores=np.zeros(1),
            costs=np.zeros((len(self._chain.limits), 1)),
        )

    def _beating(self, goal: _Goal, beginnings: Beginnings) -> Beginnings:
        """Those that may still lead to what beats what was found, down to the last bit of its sum.

        Without this, ties would make the search walk through all that merely equals what was found.
        """
        steps = self._steps[beginnings.rows.shape[1] :]
        least = beginnings.scores + steps[0].least_rests[beginnings.widths]
        (doubtful,) = np.nonzero(least >= goal.to_beat - self._rounding)
        if not len(doubtful):
            return beginnings
        # Floating-point addition is monotone: adding the smallest ratings in order gives the smallest sum.
        sums = np.full((steps[0].block.num_entries, len(doubtful)), np.inf)
        sums[beginnings.widths[doubtful], np.arange(len(doubtful))] = beginnings.scores[doubtful]
        for step in steps:
            sums = (sums[:, np.newaxis] + step.best_ratings[:, :, np.newaxis]).min(axis=0)
        kept = np.ones(len(beginnings), np.bool_)
        kept[doubtful] = goal.beaten_by(sums[0], beginnings.rows[doubtful])
        return beginnings[kept]

    def _endings_known(
        self, depth: int, beginnings: Beginnings, left: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Of which beginnings all endings are known whose excess is not more than what is left for it."""
        complete_to = np.array([endings.complete_to for endings in self._endings[depth]])
        return left <= complete_to[beginnings.widths]

    def _finished(
        self, depth: int, beginnings: Beginnings, left: NDArray[np.float64], goal: _Goal
    ) -> Iterator[_Scored]:
        """The architectures that reach `goal` among the beginnings with their endings, many at a time."""
        for width, endings in enumerate(self._endings[depth]):
            (entered,) = np.nonzero(beginnings.widths == width)
            counts = np.searchsorted(endings.excesses, left[entered], side="right")
            goal.num_enumerated += int(counts.sum())
            parts = np.cumsum(counts) // self._most_pairs
            for part in range(parts[-1] + 1 if len(parts) else 0):
                (own,) = np.nonzero(parts == part)
                yield self._ended(depth, beginnings[entered[own]], counts[own], endings, goal)

    def _ended(
        self, depth: int, beginnings: Beginnings, counts: NDArray[np.int64], endings: Endings, goal: _Goal
    ) -> _Scored:
        """What reaches `goal` of `beginnings` with their first `counts` endings."""
        parents = np.repeat(np.arange(len(beginnings)), counts)
        chosen = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
        for costs, of_endings, limit in zip(beginnings.costs, endings.costs, self._rough_limits, strict=True):
            affordable = costs[parents] + of_endings[chosen] <= limit
            parents, chosen = parents[affordable], chosen[affordable]
        promising = beginnings.scores[parents] + endings.scores[chosen] <= goal.to_beat + self._rounding
        parents, rest = parents[promising], endings.rows[chosen[promising]]
        whole = np.hstack([beginnings.rows[parents], rest])
        scores, costs = beginnings.scores[parents], beginnings.costs[:, parents]
        if len(whole):
            for block, rows in zip(
                self._chain.blocks[depth:], rest.T, strict=True
            ):  # sums from left to right
                scores, costs = scores + block.ratings[rows], costs + block.costs[:, rows]
        kept = (costs <= self._chain.limits[:, np.newaxis]).all(axis=0) & goal.beaten_by(scores, whole)
        return scores[kept], whole[kept]

    def _extend(
        self, depth: int, beginnings: Beginnings, counts: NDArray[np.int64], goal: _Goal
    ) -> Beginnings:
        """`beginnings` followed by their first `counts` rows by excess, without what is seen to be in vain."""
        step, block = self._steps[depth], self._steps[depth].block
        parents = np.repeat(np.arange(len(beginnings)), counts)
        firsts = step.starts[beginnings.widths] - (np.cumsum(counts) - counts)
        rows = step.by_excess[np.repeat(firsts, counts) + np.arange(len(parents))]
        # Whole architectures have their final sums, beginnings only bounds.
        limits = self._rough_limits if depth < len(self._steps) - 1 else self._chain.limits
        for costs, rests, limit in zip(beginnings.costs, step.least_costs, limits, strict=True):
            affordable = costs[parents] + rests[rows] <= limit
            parents, rows = parents[affordable], rows[affordable]
        promising = beginnings.scores[parents] + step.least_scores[rows] <= goal.to_beat + self._rounding
        parents, rows = parents[promising], rows[promising]
        scores = beginnings.scores[parents] + block.ratings[rows]
        costs = beginnings.costs[:, parents] + block.costs[:, rows]
        kept = self._nearby_prices.allowing(depth, scores, costs, block.exits[rows], goal.most)
        # In the order of IDs, so that of equal scores those that are kept come early.
        order = kept[np.argsort(parents[kept] * len(block.ratings) + rows[kept])]
        return beginnings[parents[order]].followed_by(step, rows[order])


def _first(most: int, scores: NDArray[np.float64], rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Where the first architectures by score, then ID, stand."""
    order = np.argsort(scores, kind="stable")
    if len(order) > most:
        order = order[scores[order] <= scores[order[most - 1]]]
    if (np.diff(scores[order]) == 0).any():
        order = order[np.lexsort((*rows[order].T[::-1], scores[order]))]
    return order[:most]
