import json

import jsonschema
import pytest

from nasray.cli import main
from nasray.search_spaces.files.plain_yaml import parse_yaml
from nasray.settings.schema import config_schema


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(config_schema())
    return jsonschema.Draft202012Validator(config_schema())


def test_it_takes_every_shipped_config(validator):
    from nasray.settings.loading import shipped_configs

    for path in shipped_configs().values():
        validator.validate(parse_yaml(path.read_text(encoding="utf-8")))


def test_it_takes_a_method_of_ones_own_and_refuses_what_no_method_knows(validator):
    config = {"name": "x", "data": {"source": "digits"}, "search_space": {"source": "digits"}}
    validator.validate(config | {"searches": [{"method": "mine:METHOD", "anything": 1}]})
    for search in ({"method": "dna", "lrr": 1}, {"method": "dnaa"}, {"method": "dna", "epochs": "many"}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(config | {"searches": [search]})


def test_a_key_says_what_it_is_for():
    described = config_schema()["properties"]["budgets"]["description"]
    assert described == "Upper bounds, inclusive, of costs of an architecture; the ranking keeps them."


def test_the_command_prints_it(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(config_schema()))
