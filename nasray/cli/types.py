"""Types of command-line arguments: amounts such as 60k, milliseconds, counts, ports, IDs."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from decimal import Decimal

_FACTORS = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "B": 9}
_LAST_PORT = 65535


def amount(text: str) -> int | float:
    """A number from 0 on, such as 5e6, 60k, 1.5M or 2G; whole ones are exact, whatever their size."""
    digits = text.strip().replace("_", "").replace(",", "")
    suffix = digits[-1:] if digits[-1:].isalpha() else ""
    try:
        found = Decimal(digits.removesuffix(suffix)).scaleb(_FACTORS[suffix])
    except (ArithmeticError, KeyError):
        found = Decimal("NaN")
    if not found.is_finite() or found < 0:
        raise ArgumentTypeError(f"must be a number from 0 on, such as 5e6, 60k or 1.5M, got {text!r}")
    return int(found) if found == found.to_integral_value() else float(found)


def milliseconds(text: str) -> int | float:
    """Milliseconds from 0 on, such as 3, 3ms or 0.2s."""
    digits = text.strip()
    if digits.endswith("ms"):
        return amount(digits.removesuffix("ms"))
    return 1000 * amount(digits.removesuffix("s")) if digits.endswith("s") else amount(digits)


def at_least(least: int) -> Callable[[str], int]:
    """The type of whole numbers from `least` on."""

    def whole(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            found = least - 1
        if found < least:
            raise ArgumentTypeError(f"must be a whole number from {least} on, got {text!r}")
        return found

    return whole


def port(text: str) -> int:
    """A TCP port."""
    found = at_least(1)(text)
    if found > _LAST_PORT:
        raise ArgumentTypeError(f"must be at most {_LAST_PORT}, got {text!r}")
    return found


def architecture(text: str) -> str:
    """An architecture's ID, without the line breaks and spaces that come with copying it."""
    return "".join(text.split())
