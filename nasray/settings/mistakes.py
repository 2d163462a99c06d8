"""The wording of a mistake in a config."""

from pydantic_core import ErrorDetails

_LONGEST = 200


def described(detail: ErrorDetails) -> str:
    """What must hold and what was given, in one line that can follow the key's name."""
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    of_a_whole = detail["type"] == "value_error" and isinstance(detail["input"], dict)
    given = "" if "got" in message or of_a_whole else f", got {shortened(repr(detail['input']))}"
    return f"{message[:1].lower()}{message[1:]}{given}"


def shortened(text: str) -> str:
    """The text, or of a long one its beginning and its length."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
