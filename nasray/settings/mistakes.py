"""Mistakes in a config: how several are told at once, and in which words."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

_LONGEST = 200


def mistake(text: str, given: Any, *place: str | int) -> InitErrorDetails:
    """A mistake at a place below what is validated, told by a sentence."""
    # As a parameter, since braces would be read as places for some.
    kind = PydanticCustomError("value_error", "{text}", {"text": text})
    return InitErrorDetails(type=kind, loc=place, input=given)


def refuse(title: str, mistakes: Sequence[InitErrorDetails]) -> None:
    """Refuse a part of a config for all of its mistakes, if there are any.

    Raises:
        ValidationError: There are; within a validator, pydantic puts their places below its own.
    """
    if mistakes:
        raise ValidationError.from_exception_data(title, list(mistakes))


def described(detail: ErrorDetails) -> str:
    """What must hold and what was given, in one line that can follow the key's name."""
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    of_a_whole = detail["type"] == "value_error" and isinstance(detail["input"], dict)
    given = "" if "got" in message or of_a_whole else f", got {shortened(repr(detail['input']))}"
    return f"{message[:1].lower()}{message[1:]}{given}"


def shortened(text: str) -> str:
    """The text, or of a long one its beginning and its length."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"
