"""YAML as plain data: the numbers and words of YAML 1.2's core schema, and nothing that could run, repeat or explode.

PyYAML follows YAML 1.1, in which `5e6` is a text, `010` is 8, `1:30` is 90 and `no` is false. Texts come from others,
too: a few lines of aliases can stand for more values than any memory holds.
"""

import re
from typing import Any

import yaml

_MOST_VALUES = 100_000
_TAG = "tag:yaml.org,2002:"
_WORDS = {
    "null": re.compile(r"^(?:~|null|Null|NULL|)$"),
    "bool": re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"^[-+]?[0-9]+$"),
    "float": re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    "merge": re.compile(r"^<<$"),
}


class _Schema:
    """What a plain word is, the same for reading and writing."""

    # By a word's first character; None: any.
    yaml_implicit_resolvers = {None: [(_TAG + kind, pattern) for kind, pattern in _WORDS.items()]}  # noqa: RUF012


class _Loader(_Schema, yaml.SafeLoader):
    """Refuses keys that stand twice, of which PyYAML would drop all but the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping whose keys differ; here, since merged keys, which may be set again, come in later."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.tag != _TAG + "merge":
                raise yaml.composer.ComposerError(
                    None, None, f"the key {key.value} stands twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return node

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        """A whole number in decimal digits, leading zeros or not."""
        return int(self.construct_scalar(node))


_Loader.add_constructor(_TAG + "int", _Loader.construct_whole_number)


class _Dumper(_Schema, yaml.SafeDumper):
    """Quotes what the loader would take for something else than a text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always: what stands twice is written twice, for those who read it."""
        return True


def parse_yaml(text: str) -> Any:
    """The plain data of a YAML text: dicts, lists, texts, numbers, booleans, None.

    Raises:
        ValueError: It is no YAML, holds a key twice, anything else or more than 100,000 values, or is nested deeply.
    """
    try:
        plain = yaml.load(text, _Loader)  # a safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_plain(plain)
    return plain


def dump_yaml(plain: Any) -> str:
    """Plain data as YAML, keys in their order, which `parse_yaml` reads back as it was."""
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False)


def _check_plain(plain: Any) -> None:
    """Refuse what is not plain or would be too much if aliases were written out; one that holds itself never ends.

    Raises:
        ValueError: It is so.
    """
    pending, num_values = [plain], 0
    while pending:
        value = pending.pop()
        num_values += 1
        if num_values > _MOST_VALUES:
            raise ValueError(f"it must hold at most {_MOST_VALUES:,} values, aliases written out")
        if isinstance(value, dict):
            strange = [key for key in value if not isinstance(key, str)]
            if strange:
                raise ValueError(f"keys must be texts, got {strange[0]!r}: put it into quotes")
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif not isinstance(value, str | int | float | None):
            raise ValueError(f"values must be texts, numbers, true, false or null, got {value!r}")
