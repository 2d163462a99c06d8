"""Only a method's own code knows the method: all else asks its declaration, so that another needs no change there."""

import ast
from pathlib import Path

import pytest

import nasray
from nasray.settings.methods import METHODS, declared

ROOT = Path(nasray.__file__).resolve().parents[1]
SETTINGS = {
    base.__name__
    for method in METHODS
    for base in declared(method).settings.__mro__
    if base.__module__.startswith("nasray.") and base.__name__ != "MethodSettings"
}
# The methods themselves; the table of their names, with where each lies.
METHODS_OWN = ("nasray/methods/", "nasray/settings/methods.py")
# Units of some methods alone may ask whose settings they have, as those of DNA and of DNA++ do, but for no name.
UNITS_OWN = ("trainables/block_wise/", "trainables/sd_darts/")
SPACES = {("search_spaces/build.py", "dna")}  # a space of the same name


def knowing(source):
    """The places in a source text that branch on which method there is, each with what it knows."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                yield from ((node.lineno, known) for known in _named(side))
        elif isinstance(node, ast.Dict):
            yield from ((node.lineno, known) for key in node.keys for known in _constants(key))
        elif isinstance(node, ast.Match):
            yield from ((node.lineno, known) for known in _named(node.subject))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Attribute):
            yield from ((node.lineno, known) for known in _named(node.slice))
        elif isinstance(node, ast.MatchValue):
            yield from ((node.lineno, known) for known in _constants(node.value))
        elif isinstance(node, ast.MatchClass):
            yield from ((node.lineno, known) for known in _classes(node.cls))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            yield from ((node.lineno, known) for known in _classes(node.args[1]))


def _named(node):
    """Names of methods in an expression, and whether it is a method's name."""
    if isinstance(node, ast.Attribute) and node.attr == "method":
        yield ast.unparse(node)
    yield from _constants(node)


def _constants(node):
    found = [] if node is None else ast.walk(node)
    return [one.value for one in found if isinstance(one, ast.Constant) and one.value in METHODS]


def _classes(node):
    names = (one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in ast.walk(node))
    return [name for name in names if name in SETTINGS]


def test_no_other_code_branches_on_a_method():
    found = []
    for top in ("nasray", "trainables", "analysis", "search_spaces"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(METHODS_OWN):
                continue
            own = SETTINGS if name.startswith(UNITS_OWN) else set()
            found += [
                f"{name}:{line} {known}"
                for line, known in knowing(path.read_text(encoding="utf-8"))
                if known not in own and (name, known) not in SPACES
            ]
    assert found == []


def test_what_is_allowed_is_there():
    assert all((ROOT / place).exists() for place in (*METHODS_OWN, *UNITS_OWN))
    assert {"BlockDistillationConfig", "SelfSupervisionConfig", "DnaPlusConfig", "SdDartsConfig"} <= SETTINGS


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ('if search.method == "dna": pass', ["search.method", "dna"]),
        ('if name in ("dna_plus", "other"): pass', ["dna_plus"]),
        ("found = [one for one in searches if one.method in known]", ["one.method"]),
        ("isinstance(search, SdDartsConfig)", ["SdDartsConfig"]),
        ("isinstance(search, (int, settings.DnaPlusConfig))", ["DnaPlusConfig"]),
        ("issubclass(kind, BlockSearchConfig | int)", ["BlockSearchConfig"]),
        ("match search:\n    case SdDartsConfig(): pass", ["SdDartsConfig"]),
        ('match search.method:\n    case "dna": pass', ["search.method", "dna"]),
        ('work = {"dna": 1, "sd_darts": 2}', ["dna", "sd_darts"]),
        ("work = tables[search.method]", ["search.method"]),
        ('if spec.kind == "teacher": print(search.method, "dna")', []),
        ('method: Literal["dna"] = "dna"', []),
        ("declared(search.method).ranks", []),
    ],
)
def test_such_code_is_found(source, known):
    assert [one for _, one in knowing(source)] == known
