"""Axes: from values to places along a chart's side, and ticks at round numbers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.report.numerals import decimal, power_of_ten, quantity, superscript

_MARGIN = 0.04  # left free at both ends, as a share of the values' range
_NUM_TICKS = 6


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a chart.

    Attributes:
        label: What it shows, with its unit, and which end is better.
        low: The value at its beginning.
        high: The value at its end, above `low`.
        ticks: Values with their texts.
        log: Whether equal ratios take equal lengths; `low` is then positive.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis `value` stands, from 0 at `low` to 1 at `high`; NaN where it has no place."""
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        return math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else math.nan

    def nearest(self, value: float) -> float:
        """The value on the axis that is nearest to `value`."""
        return min(max(value, min(self.low, self.high)), max(self.low, self.high))


def linear(label: str, values: Iterable[float], *, low: float | None = None, whole: bool = False) -> Axis:
    """An axis around all finite `values`, or exactly from `low` where that is given.

    Args:
        label: What it shows.
        values: What has to find a place.
        low: Where the axis begins, not above any of the values.
        whole: Whether only whole numbers have ticks.
    """
    finite = [float(value) for value in values if math.isfinite(value)] or [0.0]
    smallest, largest = min(finite), max(finite)
    margin = _MARGIN * (largest - smallest) or 0.02 * abs(largest) or 0.5
    low = smallest - margin if low is None else low
    high = max(largest + margin, low + margin)
    return Axis(label, low, high, _round_ticks(low, high, whole=whole))


def logarithmic(label: str, values: Iterable[float]) -> Axis:
    """An axis in powers of ten around all positive `values`."""
    positive = [float(value) for value in values if 0 < value < math.inf] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    high = max(high, low + 1)
    step = -(-(high - low) // _NUM_TICKS)
    ticks = tuple(
        (10.0**power, str(10**power) if 0 <= power <= 2 else f"10{superscript(power)}")
        for power in range(low, high + 1, step)
    )
    return Axis(label, 10.0**low, 10.0**high, ticks, log=True)


def names(label: str, texts: Sequence[str]) -> Axis:
    """An axis with a place for each text, at 0, 1, and so on; as a vertical axis it begins at the top."""
    ticks = tuple((float(place), text) for place, text in enumerate(texts))
    return Axis(label, len(texts) - 0.4, -0.6, ticks)


def _round_ticks(low: float, high: float, *, whole: bool) -> tuple[tuple[float, str], ...]:
    """Multiples of 1, 2 or 5 times a power of ten, six of them at most, with as many digits as they need."""
    rough = (high - low) / _NUM_TICKS
    rough = max(rough, 1.0) if whole else rough
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    places = [
        number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]
    if max(abs(low), abs(high)) >= 10_000:
        return tuple((place, quantity(place)) for place in places)
    if digits > 4:
        return tuple((place, power_of_ten(place)) for place in places)
    return tuple((place, decimal(place, digits)) for place in places)
