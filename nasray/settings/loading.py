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
from nasray.settings.comparison import arm_settings
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.methods import declared
from nasray.settings.mistakes import described
from nasray.settings.overrides import apply_override
from nasray.trainables.settings.method import MethodSettings

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
        apply_override(plain, override)
    config = _validated(plain)
    _refuse(list(_mistakes_of_arms(config)))
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


def _validated(plain: dict[str, Any]) -> ExperimentConfig:
    """The config that plain data makes."""
    try:
        # Strict, as JSON: YAML's lists may become tuples and its strings paths, but "5" is not 5.
        return ExperimentConfig.model_validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        _refuse([_explain(detail, plain) for detail in _without_consequences(error.errors())])
        raise


def _refuse(mistakes: Sequence[str]) -> None:
    """Refuse a config for all its mistakes, a line each, if there are any."""
    if mistakes:
        raise UserError("the config has mistakes:\n" + "\n".join(f"  {line}" for line in mistakes)) from None


def _mistakes_of_arms(config: ExperimentConfig) -> Iterator[str]:
    """What is wrong with the arms of a comparison, a line each."""
    if config.comparison is None:
        return
    whole = config.model_dump(mode="json")
    for arm in config.comparison.arms:
        try:
            plain = arm_settings(whole, arm)
            ExperimentConfig.model_validate_json(json.dumps(plain), strict=True)
        except ValidationError as error:
            for detail in _without_consequences(error.errors()):
                yield f"comparison.arms.{arm}: {_explain(detail, plain)}"
        except UserError as error:
            yield f"comparison.arms.{arm}: {error}"


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


def _explain(detail: ErrorDetails, plain: dict[str, Any]) -> str:
    """One mistake of plain data in one line."""
    where = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        allowed = sorted(_model_at(detail["loc"][:-1], plain).model_fields)
        near = difflib.get_close_matches(str(detail["loc"][-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{where}: unknown key; {hint}allowed are {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{where}: must be given"
    return f"{where}: {described(detail)}".removeprefix(": ")


def _without_consequences(details: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The mistakes, without those that only follow from others: a list lacks the items that have mistakes."""
    for detail in details:
        inner = (other["loc"][: len(detail["loc"])] for other in details if other["loc"] != detail["loc"])
        if detail["type"] != "too_short" or detail["loc"] not in inner:
            yield detail


def _model_at(location: tuple[int | str, ...], plain: dict[str, Any]) -> type[BaseModel]:
    """The config model at a place of plain data."""
    model: type[BaseModel] = ExperimentConfig
    value: Any = plain
    for part in location:
        value = value[part]
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
        if issubclass(model, MethodSettings) and isinstance(value, dict):
            model = declared(value["method"]).settings
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The config models named in a type."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
