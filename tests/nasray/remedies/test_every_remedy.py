"""Every remedy in a message that is a key, an override or a command stands in known.yaml, tried or with a reason.

Those that are tried are so in the tests beside it. Remedies in words alone, such as "leave it out", have nothing that
could be done as it is written.
"""

import ast
import os
import re
from pathlib import Path

import yaml

import nasray

PACKAGE = Path(nasray.__file__).parent
VERBS = (
    "add bring change check choose compute convert correct cut delete download draw export fetch finish flatten free "
    "give go install keep leave let list look lower make measure mount move name number open put raise register rename "
    "remove replace run save search see set start take train try undo upgrade use wait write"
)
ADVICE = re.compile(
    rf"(?:[:;.,] |\bor |^)(?:{'|'.join(VERBS.split())})\b(?! be\b)"
    r"|`(?:nasray|pip|mlflow|ray) |name=\.\.\.|pip install|--[a-z]",
    re.IGNORECASE,
)
SECTIONS = (
    "data teacher search_space features searches comparison retrain budgets ranking compute resources storage"
)
TO_BE_RUN = re.compile(
    rf"`[^`]+`|\b(?:{'|'.join(SECTIONS.split())}|tracking|sweep)\.[a-z]|name=\.\.\.|--[a-z]|\b[A-Z]{{3,}}_[A-Z]{{2,}}"
    r"|\bagain\b|\bnull\b|\bby score\b|\bmode: "
)
# What shows a run, or is a text of its own, is no message of a mistake.
NO_MESSAGES = ("cli/arguments.py", "views", "exporting/card.py", "exporting/source", "analysis/report")
KNOWN = Path(__file__).with_name("known.yaml")


def texts(tree):
    """The texts of a module but docstrings, an ellipsis for what is put into them."""
    nodes = list(ast.walk(tree))
    left_out = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    left_out |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and id(node) not in left_out:
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.value


def remedies():
    """What messages advise, where that can be run, from the advice to the end of the text."""
    found = (Path(folder, name) for folder, _, names in os.walk(PACKAGE, followlinks=True) for name in names)
    for path in sorted(found):
        if path.suffix != ".py" or str(path.relative_to(PACKAGE)).startswith(NO_MESSAGES):
            continue
        for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
            advice = ADVICE.search(text) if len(text.split()) > 3 else None
            told = " ".join(text[advice.start() :].lstrip(":;., ").split()) if advice else ""
            if TO_BE_RUN.search(told):
                yield told


def test_every_remedy_that_can_be_run_is_known():
    known = yaml.safe_load(KNOWN.read_text(encoding="utf-8"))
    lists = [known["tried"], *known["not tried"].values()]
    assert set(remedies()) == {remedy for text in lists for remedy in text.splitlines()}
