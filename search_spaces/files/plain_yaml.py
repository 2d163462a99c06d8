"""YAML as plain data: the numbers and words of YAML 1.2's core schema, and nothing that could run, repeat or explode.

PyYAML follows YAML 1.1, in which `5e6` is a text, `010` is 8, `1:30` is 90 and `no` is false. Texts come from others,
too: a few lines of aliases or merged keys can stand for more values than any memory holds. What a text stands for is
counted while it is read, before anything is unfolded.
"""

import re
from typing import Any

import yaml

from nasray.errors import UserError

_MOST_VALUES = 100_000
_MOST_CHARACTERS = 1_000_000
_MOST_DIGITS = 300  # of a whole number, which float64 then reaches
_MOST_LEVELS = 100  # of values in values; what handles plain data further on calls itself for each
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
_PLAIN = {*_WORDS, "str", "seq", "map"}
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Schema:
    """What a plain word is, the same for reading and writing."""

    # By a word's first character; None: any.
    yaml_implicit_resolvers = {None: [(_TAG + kind, pattern) for kind, pattern in _WORDS.items()]}  # noqa: RUF012


class _Loader(_Schema, yaml.SafeLoader):
    """Refuses keys that stand twice, of which PyYAML would drop all but the last, and texts that stand for too much."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._num_nodes = self._level = 0
        # Values and levels that finished nodes stand for, aliases and merged keys written out.
        self._extents: dict[yaml.Node, tuple[int, int]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node that stands for no more than is allowed."""
        self._num_nodes += 1
        self._level += 1
        # Keys are nodes, too.
        self._check_extent(self._num_nodes // 2, self._level)
        is_alias = self.check_event(yaml.AliasEvent)
        node: Any = super().compose_node(parent, index)
        if is_alias and node not in self._extents:
            raise _refused(node, f"it must hold at most {_MOST_VALUES:,} values, and one holds itself")
        if not is_alias:
            self._check_tag(node)
            self._extents[node] = self._extent(node)
            self._check_extent(*self._extents[node])
        self._level -= 1
        return node

    def _check_extent(self, num_values: int, num_levels: int) -> None:
        if num_values > _MOST_VALUES:
            raise UserError(f"it must hold at most {_MOST_VALUES:,} values, aliases written out")
        if num_levels > _MOST_LEVELS:
            raise UserError(f"it is nested too deeply, in more than {_MOST_LEVELS} levels")

    def _check_tag(self, node: yaml.Node) -> None:
        """Refuse what is tagged as something else than plain data, or as what it is not written as."""
        kind = node.tag.removeprefix(_TAG)
        if kind not in _PLAIN and node.tag in self.yaml_constructors:
            raise _refused(node, f"values must be texts, numbers, true, false or null, got !!{kind}")
        if not isinstance(node, yaml.ScalarNode):
            return
        if kind in _WORDS and not _WORDS[kind].match(node.value):
            raise _refused(node, f"{node.value!r} is tagged as !!{kind}, and is none")
        if _SURROGATE.search(node.value):
            raise _refused(node, f"texts must be made of whole characters, got {node.value!r}")

    def _extent(self, node: yaml.Node) -> tuple[int, int]:
        """The values and levels that a node stands for, from those of what it holds."""
        if isinstance(node, yaml.ScalarNode):
            return 1, 1
        inner = [of for _, of in node.value] if isinstance(node, yaml.MappingNode) else node.value
        extents = [self._extents[of] for of in inner]
        return 1 + sum(values for values, _ in extents), 1 + max((levels for _, levels in extents), default=0)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping whose keys differ; here, since merged keys, which may be set again, come in later."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.tag != _TAG + "merge":
                raise _refused(key, f"the key {key.value} stands twice")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return node

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        """A whole number in decimal digits, leading zeros or not."""
        text = str(self.construct_scalar(node))
        if len(text) > _MOST_DIGITS:
            raise _refused(node, f"whole numbers must have at most {_MOST_DIGITS} digits, got {len(text)}")
        return int(text)


_Loader.add_constructor(_TAG + "int", _Loader.construct_whole_number)


class _Dumper(_Schema, yaml.SafeDumper):
    """Quotes what the loader would take for something else than a text."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always: what stands twice is written twice, for those who read it."""
        return True


def parse_yaml(text: str) -> Any:
    """The plain data of a YAML text: dicts, lists, texts, numbers, booleans, None.

    Raises:
        UserError: It is no YAML, holds a key twice, anything else, more than 100,000 values or 100 levels of them, or
            is longer than a million characters.
    """
    if len(text) > _MOST_CHARACTERS:
        raise UserError(f"it must have at most {_MOST_CHARACTERS:,} characters, it has {len(text):,}")
    try:
        plain = yaml.load(text, _Loader)  # a safe loader
    except yaml.YAMLError as error:
        raise UserError(str(error)) from None
    _check_keys(plain)
    return plain


def dump_yaml(plain: Any) -> str:
    """Plain data as YAML, keys in their order, which `parse_yaml` reads back as it was."""
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False)


def _refused(node: yaml.Node, reason: str) -> yaml.YAMLError:
    return yaml.composer.ComposerError(None, None, reason, node.start_mark)


def _check_keys(plain: Any) -> None:
    """Refuse keys that are no texts.

    Raises:
        UserError: There is one.
    """
    pending = [plain]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            strange = [key for key in value if not isinstance(key, str)]
            if strange:
                raise UserError(f"keys must be texts, got {strange[0]!r}: put it into quotes")
            pending += value.values()
        elif isinstance(value, list):
            pending += value
