"""Overrides of a config's values, in the form a.b=value."""

from typing import Any

from nasray.errors import UserError
from nasray.search_spaces.files.plain_yaml import parse_yaml
from nasray.settings.mistakes import shortened


def apply_override(plain: dict[str, Any], override: str) -> None:
    """Set one value of nested plain data, as "a.b=value" says, with a value in YAML.

    Raises:
        UserError: The override has another form, or its key names no place in the data.
    """
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise UserError(f"an override must have the form a.b=value, got {override!r}")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise UserError(
            f"the value of {shortened(key)} must be plain YAML, got {shortened(text)}: {error}"
        ) from None
    set_value(plain, key, value)


def set_value(plain: dict[str, Any], key: str, value: Any) -> None:
    """Set one value of nested plain data; numbers in the key are positions in lists.

    Args:
        plain: Is changed.
        key: Such as "searches.0.lr".
        value: Replaces the one that is there as a whole.

    Raises:
        UserError: The key names no place in the data.
    """
    *path, last = key.split(".")
    place: Any = plain
    for part in path:
        place = _enter(place, part, key)
    if isinstance(place, list):
        place[_position(place, last, key)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UserError(f"{key} cannot be set: {'.'.join(path)} is {place!r}, not a group of keys")


def _enter(place: Any, part: str, key: str) -> Any:
    if isinstance(place, list):
        return place[_position(place, part, key)]
    if isinstance(place, dict):
        if place.get(part) is None:  # a group that was left out, or switched off
            place[part] = {}
        return place[part]
    raise UserError(f"{key} cannot be set: there is no group of keys at {part}")


def _position(values: list[Any], part: str, key: str) -> int:
    if not part.isdecimal() or int(part) >= len(values):
        raise UserError(f"{key} must name a position from 0 to {len(values) - 1} in the list, got {part!r}")
    return int(part)
