"""Axes: what a chart's side spans, and where matplotlib puts its ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib import ticker
from matplotlib.axes import Axes

from nasray.analysis.numerals import power_of_ten, superscript

_MARGIN = 0.04  # left free at both ends, as a share of the values' range
_NUM_TICKS = 6
_LONGEST_NAME = 27


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of one chart.

    Attributes:
        label: What it shows, with its unit, and which end is better.
        low: The value at its beginning.
        high: The value at its end.
        locator: Finds where ticks stand.
        formatter: Gives their texts.
        scale: "linear", or "log": equal ratios take equal lengths.
        names: The whole texts of an axis whose ticks are names.
    """

    label: str
    low: float
    high: float
    locator: ticker.Locator
    formatter: ticker.Formatter
    scale: str = "linear"
    names: tuple[str, ...] = ()

    def put_on(self, axes: Axes, side: str) -> None:
        """Make the axis of this side, "x" or "y", show this."""
        axes.set(**{f"{side}scale": self.scale, f"{side}lim": (self.low, self.high)})
        axis = {"x": axes.xaxis, "y": axes.yaxis}[side]
        axis.set_major_locator(self.locator)
        axis.set_major_formatter(self.formatter)
        axis.minorticks_off()


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
    margin = _MARGIN * (largest - smallest) or (not whole and 0.02 * abs(largest)) or 0.5
    low, high = smallest - margin if low is None else low, largest + margin
    locator = ticker.MaxNLocator(_NUM_TICKS, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=2 - whole)
    return Axis(label, low, high, locator, _formatter(max(abs(low), abs(high))))


def logarithmic(label: str, values: Iterable[float]) -> Axis:
    """An axis in powers of ten around all positive `values`."""
    positive = [float(value) for value in values if 0 < value < math.inf] or [1.0]
    low, high = min(positive), max(2 * max(positive), 10 * min(positive))
    locator = ticker.LogLocator(numticks=_NUM_TICKS + 1)
    return Axis(label, low, high, locator, ticker.FuncFormatter(_power), "log")


def names(label: str, texts: Sequence[str]) -> Axis:
    """An axis with a place for each text, at 0, 1, and so on; as a vertical axis it begins at the top."""
    shown = [text if len(text) <= _LONGEST_NAME else "…" + text[1 - _LONGEST_NAME :] for text in texts]
    places, formatter = ticker.FixedLocator(range(len(texts))), ticker.FixedFormatter(shown)
    return Axis(label, len(texts) - 0.4, -0.6, places, formatter, names=tuple(texts))


def _formatter(largest: float) -> ticker.Formatter:
    """With as many digits as the ticks need, or for very large and very small numbers with their size."""
    if largest >= 10_000:
        return ticker.EngFormatter(sep="")
    if largest < 0.001:
        return ticker.FuncFormatter(lambda value, _: power_of_ten(value))
    plain = ticker.ScalarFormatter(useOffset=False)
    plain.set_scientific(False)
    return plain


def _power(value: float, _: int | None) -> str:
    exponent = round(math.log10(value))
    return str(10**exponent) if 0 <= exponent <= 2 else f"10{superscript(exponent)}"
