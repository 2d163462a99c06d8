"""Sums of float64 numbers without rounding, as digits of a large base.

Source: ours; digits that leave room for carries, as in a superaccumulator.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.int64]  # [L, ...], the most significant first; all but that one from 0 on

_ROOM = 62  # bits of a digit's sum in int64, its sign and a carry left out
_MANTISSA = 53
_LOWEST = -1074  # exponent of the smallest float64


@dataclass(frozen=True, slots=True)
class ExactSums:
    """How sums of a value of each block are written, so that none is ever rounded.

    Attributes:
        num_digits: L.
        bits: A digit is worth 2^bits of the next.
        exponent: The last digit counts multiples of 2^exponent.
    """

    num_digits: int
    bits: int
    exponent: int

    @classmethod
    def of(cls, blocks: Sequence[NDArray[np.float64]]) -> Self:
        """The digits that sums of one value of each of `blocks` need."""
        bits = _ROOM - len(blocks).bit_length()
        magnitudes = [np.abs(values) for values in blocks]
        largest = max(float(of_block.max(initial=0.0)) for of_block in magnitudes)
        smallest = min(float(of_block.min(initial=np.inf, where=of_block > 0)) for of_block in magnitudes)
        if largest == 0:
            return cls(1, bits, 0)
        top = int(np.frexp(largest)[1])
        lowest = max(int(np.frexp(smallest)[1]) - _MANTISSA, _LOWEST)
        num_digits = -(-(top - lowest) // bits)
        return cls(num_digits, bits, top - bits * num_digits)

    def split(self, values: NDArray[np.float64]) -> Digits:
        """The digits of values among those that these were made for, [L, ...], all of the value's sign."""
        digits, rest = np.empty((self.num_digits, *values.shape), np.int64), values
        for place in range(self.num_digits):
            exponent = self.exponent + self.bits * (self.num_digits - 1 - place)
            whole = np.trunc(np.ldexp(rest, -exponent))
            digits[place] = whole
            rest = rest - np.ldexp(whole, exponent)
        return digits

    def add(self, digits: Digits) -> Digits:
        """The sums over the second axis, of at most one value of each block: [L, B, ...] to [L, ...]."""
        sums = digits.sum(axis=1)
        for place in range(self.num_digits - 1, 0, -1):
            carry = sums[place] >> self.bits
            sums[place] -= carry << self.bits
            sums[place - 1] += carry
        return sums

    def total(self, values: NDArray[np.float64]) -> Digits:
        """The sums of values over the first axis, one of each block, [B, ...] to [L, ...]."""
        return self.add(self.split(values))

    def floor(self, number: Fraction) -> Digits:
        """The largest sum that could be written and is not above a number, [L]."""
        units = number.numerator << max(0, -self.exponent)
        whole = units // (number.denominator << max(0, self.exponent))
        digits = []
        for _ in range(self.num_digits - 1):
            digits.append(whole & ((1 << self.bits) - 1))
            whole >>= self.bits
        # No sum of values goes beyond this.
        digits.append(max(-(1 << _ROOM), min(whole, 1 << _ROOM)))
        return np.array(digits[::-1], np.int64)

    def nearest(self, sums: Digits) -> NDArray[np.float64]:
        """The float64 nearest to each sum, [N]."""
        up, down = 1 << max(0, self.exponent), 1 << max(0, -self.exponent)
        # Python divides whole numbers without rounding but once.
        return np.array([whole * up / down for whole in self._wholes(sums)], np.float64)

    def fractions(self, sums: Digits) -> list[Fraction]:
        """Each sum as it is, [N]."""
        unit = Fraction(2) ** self.exponent
        return [whole * unit for whole in self._wholes(sums)]

    def _wholes(self, sums: Digits) -> list[int]:
        """Each sum in multiples of 2^exponent."""
        wholes = sums[0].astype(object)
        for digits in sums[1:]:
            wholes = (wholes << self.bits) + digits
        return wholes.tolist()


def compare(first: Digits, second: Digits) -> NDArray[np.int64]:
    """-1, 0 or 1 where sums are below, equal to or above others, digits broadcast from the second axis on."""
    signs = np.sign(first[0] - second[0])
    for one, other in zip(first[1:], second[1:], strict=True):
        signs = np.where(signs == 0, np.sign(one - other), signs)
    return signs


def rounded_down(number: Fraction) -> float:
    """The largest float64 that is not above a number."""
    nearest = float(number)
    return nearest if nearest <= number else math.nextafter(nearest, -math.inf)


def rounded_up(number: Fraction) -> float:
    """The smallest float64 that is not below a number."""
    return -rounded_down(-number)
