"""The JSON Schema of a config, by which editors complete and check it."""

import re
from typing import Any

from nasray.settings.experiment import ExperimentConfig

_ATTRIBUTES = "Attributes:\n"
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def config_schema() -> dict[str, Any]:
    """The schema, as plain data: keys, types, ranges, defaults, and what each key is for."""
    schema = ExperimentConfig.model_json_schema()
    for model in _objects(schema):
        _describe_keys(model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A config of nasray",
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    """All models within a schema."""
    if isinstance(value, dict):
        own = [value] if "properties" in value and "description" in value else []
        return own + [model for item in value.values() for model in _objects(item)]
    return [model for item in value for model in _objects(item)] if isinstance(value, list) else []


def _describe_keys(model: dict[str, Any]) -> None:
    """Put what a model's docstring says of each key to the key, where editors look for it."""
    text, _, attributes = model["description"].partition(_ATTRIBUTES)
    model["description"] = " ".join(text.split())
    for name, said in _ATTRIBUTE.findall(attributes):
        if name in model["properties"]:
            model["properties"][name]["description"] = " ".join(said.split())
