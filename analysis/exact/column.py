"""A column of numbers that add up along a chain: its exact sums, and the scale in which searches see it.

Searches work with float64 numbers whose sums they know up to a share of themselves: each value less the smallest of its
block, in a unit that makes sums that matter about 1. Where that leaves a comparison open, exact sums decide it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.exact_sums import Digits, ExactSums
from nasray.analysis.exact.table_checks import LARGEST_WHOLE
from nasray.errors import UserError

_LARGEST_SUM = 2**1023  # so that neither sums nor differences of them leave float64
_SURE_POWER = 1000  # 2 to this, and to minus this, are float64 numbers


@dataclass(frozen=True, eq=False)
class Column:
    """The values of a column in the usable rows of all blocks.

    Attributes:
        name: What it is called.
        blocks: Per block, its values as they are, [N].
        limit: What sums must not exceed; None: any may be.
        least: The smallest value of each block, added up.
        most: The largest value of each block, added up.
        whole: Whether the limit is kept by whole numbers, as searches see them, that float64 adds exactly.
        exponent: Searches count in multiples of 2^exponent.
    """

    name: str
    blocks: tuple[NDArray[np.float64], ...] = field(repr=False)
    limit: Fraction | None
    least: Fraction
    most: Fraction
    whole: bool
    exponent: int

    @classmethod
    def of(cls, name: str, blocks: Sequence[NDArray[np.float64]], limit: Fraction | None) -> "Column":
        """The column of these values.

        Raises:
            UserError: Their sums may be beyond float64.
        """
        ranges = [(Fraction(float(values.min())), Fraction(float(values.max()))) for values in blocks]
        if sum(max(-low, high) for low, high in ranges) > _LARGEST_SUM:
            raise UserError(f"sums of {name} must stay below 2^1023, about 9e307; give it in a larger unit")
        least, most = (sum(ends, Fraction(0)) for ends in zip(*ranges, strict=True))
        reach = most - least if limit is None else min(limit - least, most - least)
        # At a limit that only the smallest values keep, searches merely tell these apart from others.
        fits = reach <= 0 or ((reach + 1) * len(blocks) <= LARGEST_WHOLE and _are_whole(blocks))
        whole = limit is not None and fits
        return cls(name, tuple(blocks), limit, least, most, whole, 0 if whole else _exponent(reach))

    @cached_property
    def sums(self) -> ExactSums:
        """How exact sums of the values are written."""
        return ExactSums.of(self.blocks)

    def allows(self, total: Fraction) -> bool:
        """Whether a sum is within the limit."""
        return self.limit is None or total <= self.limit

    @property
    def is_loose(self) -> bool:
        """Whether no sum exceeds the limit."""
        return self.allows(self.most)

    @cached_property
    def scaled_limit(self) -> float:
        """The limit as searches see it, infinite if there is none; whole where the column is."""
        if self.limit is None:
            return np.inf
        reach = min(self.limit, self.most) - self.least
        return float(math.floor(reach)) if self.whole else self.scaled(self.least + reach)

    @cached_property
    def limit_digits(self) -> Digits:
        """The largest sum within the limit, as the exact sums are written."""
        assert self.limit is not None
        return self.sums.floor(self.limit)

    def scaled(self, total: Fraction) -> float:
        """A sum as searches see it."""
        return float((total - self.least) / Fraction(2) ** self.exponent)

    def unscaled(self, total: float) -> Fraction:
        """A sum that searches see, as it is."""
        return Fraction(total) * Fraction(2) ** self.exponent + self.least

    def scaled_blocks(self) -> list[NDArray[np.float64]]:
        """Per block, the values as searches see them, [N]: from 0 on; what exceeds the limit alone as just that.

        Each is off by no more than float64's rounding of itself, or the smallest float64.
        """
        limit = self.scaled_limit
        if limit <= 0:
            return [(values > values.min()).astype(np.float64) for values in self.blocks]
        too_much = limit + 1 if self.whole else 2 * limit
        with np.errstate(over="ignore"):
            return [np.minimum(_less_smallest(values, self.exponent), too_much) for values in self.blocks]


def _are_whole(blocks: Sequence[NDArray[np.float64]]) -> bool:
    return all(np.array_equal(values, np.floor(values)) for values in blocks)


def _exponent(number: Fraction) -> int:
    """The power of two that brings a number between a half and 2."""
    if number == 0:
        return 0
    return abs(number.numerator).bit_length() - number.denominator.bit_length()


def _less_smallest(values: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    """The values less their smallest, in multiples of 2^exponent."""
    if abs(exponent) < _SURE_POWER:
        return (values - values.min()) * 2.0**-exponent
    # Of huge numbers the differences may be beyond float64, of tiny ones the quotients below it.
    if exponent > 0:
        values, exponent = np.ldexp(values, -_SURE_POWER), exponent - _SURE_POWER
    return np.ldexp(values - values.min(), -exponent)
