"""Numbers as people read them."""

import math

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MISSING = "–"  # noqa: RUF001


def quantity(value: float) -> str:
    """A number in three digits: 1,234 as 1.23k, 999,600 as 1M, 0.97768 as 0.978."""
    rounded = float(f"{value:.3g}")
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(rounded) >= size:
            return f"{rounded / size:.3g}{unit}"
    return f"{rounded:.3g}"


def power_of_ten(value: float) -> str:
    """A number in two digits, as in 2.0e17, with raised digits."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{superscript(int(exponent))}"  # noqa: RUF001


def superscript(exponent: int) -> str:
    """A whole number in raised digits."""
    return str(exponent).translate(_SUPERSCRIPTS)


def count(number: int) -> str:
    """A whole number exactly, and a large one in two digits, too."""
    exact = f"{number:,}"
    return f"{exact} (about {power_of_ten(number)})" if number >= 10**6 else exact


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with so many digits behind the point; a dash for none."""
    if value is None or math.isnan(value):
        return _MISSING
    return f"{value:,.{digits}f}".replace("-", "−")  # noqa: RUF001


def with_error(value: float | None, error: float | None, digits: int = 3) -> str:
    """A number with its standard error, where that is known."""
    text = decimal(value, digits)
    return text if error is None or math.isnan(error) else f"{text} ± {error:,.{digits}f}"


def with_interval(value: float | None, low: float, high: float, digits: int = 3) -> str:
    """A number with the ends of its interval; a dash for none."""
    text = decimal(value, digits)
    return text if text == _MISSING else f"{text} ({between(low, high, digits)})"


def between(low: float, high: float, digits: int = 3) -> str:
    """The ends of an interval; a dash where they are not known."""
    return decimal(low, digits) if math.isnan(low) else f"{decimal(low, digits)} to {decimal(high, digits)}"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
