"""What a mistake in a config is, in words."""

from pydantic_core import ErrorDetails


def described(detail: ErrorDetails) -> str:
    """What must hold and what was given, in one line that can follow the key's name."""
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    given = "" if "got" in message else f", got {detail['input']!r}"
    return f"{message[:1].lower()}{message[1:]}{given}"
