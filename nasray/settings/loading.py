"""Reading a config: from a file or by name, with overrides, and one clear line per mistake."""

import copy
import difflib
import importlib.resources
import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nasray.errors import UserError
from nasray.search_spaces.files.plain_yaml import dump_yaml, parse_yaml
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.family import member_settings
from nasray.settings.mistakes import described, shortened

DEFAULT_CONFIG = "digits"


def load_config(
    source: str | Path | Mapping[str, Any] | None, overrides: Sequence[str] = ()
) -> ExperimentConfig:
    """The config of a file, of a shipped config's name, or of plain data, with `a.b=value` overrides.

    Raises:
        UserError: With one line per mistake: the key, what must hold, what was given.
    """
    plain = _plain(source)
    for override in overrides:
        _override(plain, override)
    config = _validated(plain)
    if config.family is not None:
        for name in config.family.members:
            _validated(member_settings(config.model_dump(mode="json"), name), f"family.members.{name}: ")
    return config


def find_config(source: str | Path) -> Path:
    """The file of a config, given as a path or as the name of a shipped one.

    Raises:
        UserError: There is neither; the message lists the shipped ones.
    """
    path = Path(source)
    if path.is_file():
        return path
    shipped = shipped_configs()
    if path.name == str(source) and path.stem in shipped:
        return shipped[path.stem]
    # `ray submit` copies only the script, so a checkout's relative path means the shipped config of that name.
    if path.parent == Path("configs") and path.stem in shipped:
        return shipped[path.stem]
    raise UserError(
        f"CONFIG must be a file or one of the shipped {', '.join(sorted(shipped))}, got {source}"
        f"{did_you_mean(path.stem, shipped)}"
    )


def shipped_configs() -> dict[str, Path]:
    """The configs that come with nasray, by name."""
    folder = Path(str(importlib.resources.files("nasray.configs")))
    return {path.stem: path for path in folder.glob("*.yaml")}


def dump_config(config: ExperimentConfig) -> str:
    """The config as YAML, every default written out."""
    return dump_yaml(config.model_dump(mode="json"))


def _validated(plain: dict[str, Any], place: str = "") -> ExperimentConfig:
    """The config that plain data makes; `place` stands before each mistake."""
    try:
        # Strict, as JSON: YAML's lists may become tuples and its strings paths, but "5" is not 5.
        return ExperimentConfig.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        lines = [place + _explain(detail) for detail in _without_consequences(error.errors())]
        raise UserError("the config has mistakes:\n" + "\n".join(f"  {line}" for line in lines)) from None


def _plain(source: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """The config as plain data that may be changed."""
    if isinstance(source, Mapping):
        return copy.deepcopy(dict(source))
    return _read_yaml(find_config(source or DEFAULT_CONFIG))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        plain = parse_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:  # what is not UTF-8 is one, too
        raise UserError(f"{path} must be plain YAML: {error}") from None
    if not isinstance(plain, dict):
        raise UserError(f"{path} must hold keys and values, got {type(plain).__name__}")
    return plain


def _override(plain: dict[str, Any], override: str) -> None:
    """Set one value of nested plain data; numbers in the key are positions in lists."""
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise UserError(f"an override must have the form a.b=value, got {override!r}")
    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise UserError(
            f"the value of {shortened(key)} must be plain YAML, got {shortened(text)}: {error}"
        ) from None
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


def _explain(detail: ErrorDetails) -> str:
    """One mistake in one line."""
    where = _as_written(detail["loc"])[0]
    if detail["type"] == "extra_forbidden":
        allowed = sorted(_as_written(detail["loc"][:-1])[1].model_fields)
        near = difflib.get_close_matches(str(detail["loc"][-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{where}: unknown key; {hint}allowed are {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{where}: must be given"
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key = detail["ctx"]["discriminator"].strip("'")
        given = repr(detail["ctx"]["tag"]) if "tag" in detail["ctx"] else "none"
        tags = sorted(tag for model in _models_at(detail["loc"]) for tag in _tags(model))
        return f"{where}.{key}: must be one of {', '.join(tags)}, got {given}"
    return f"{where}: {described(detail)}".removeprefix(": ")


def _without_consequences(details: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The mistakes, without those that only follow from others: a list lacks the items that have mistakes."""
    for detail in details:
        inner = (other["loc"][: len(detail["loc"])] for other in details if other["loc"] != detail["loc"])
        if detail["type"] != "too_short" or detail["loc"] not in inner:
            yield detail


def _as_written(location: tuple[int | str, ...]) -> tuple[str, type[BaseModel]]:
    """A mistake's place as a key that can be set, and the config model there.

    Where a list holds models of several kinds, pydantic puts the kind after the position; a user does not write it.
    """
    written: list[str] = []
    models: list[type[BaseModel]] = [ExperimentConfig]
    model = models[0]
    for part in location:
        tagged = [candidate for candidate in models if part in _tags(candidate)]
        if len(models) > 1 and tagged:
            model, models = tagged[0], tagged
            continue
        written.append(str(part))
        if isinstance(part, str) and part in model.model_fields:
            models = list(_models_in(model.model_fields[part].annotation)) or models
            model = models[0]
    return ".".join(written), model


def _models_at(location: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The kinds of models that the list at the first part of a location may hold."""
    return list(_models_in(ExperimentConfig.model_fields[str(location[0])].annotation))


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """The names by which a list of several kinds tells the model."""
    return typing.get_args(model.model_fields["method"].annotation) if "method" in model.model_fields else ()


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The config models named in a type."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
