import importlib
import sys

import pytest
import torch
from torch import nn

from nasray.exporting.source.bundle import Bundle, BundleError
from nasray.exporting.source.recording import record

SHARED = """
from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn as nn

if TYPE_CHECKING:
    from nowhere import Unknown

WIDTH = 3


def widen(layer: Unknown, *, by: int = WIDTH) -> nn.Module:
    return nn.Conv2d(layer, by, 1)


def unneeded():
    return WIDTH
"""
USER = """
import math

from torch import nn

from bundled.shared import WIDTH, widen as enlarge

LIMIT = math.inf


class Base(nn.Module):
    def limit(self) -> float:
        return min(LIMIT, WIDTH)


class Wide(Base):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = enlarge(channels)

    def forward(self, x):
        return self.layer(x).clamp(max=self.limit())
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Makes modules of a package `bundled`, from their texts."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    def make(**texts):
        for name, text in {"__init__": "", **texts}.items():
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return [importlib.import_module(f"bundled.{name}") for name in texts]

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "bundled"]:
        del sys.modules[name]


@pytest.fixture
def bundle():
    return Bundle(record(nn.Identity, (1, 2, 2)), reserved=["build"])


def test_definitions_stand_behind_what_they_need(modules, bundle):
    _, user = modules(shared=SHARED, user=USER)
    bundle.add(user.Wide)
    text = f"{bundle.imports.text}\n{bundle.text}"
    assert "unneeded" not in text
    assert bundle.imports.text.startswith("from __future__ import annotations\n\nimport math\n\n")
    assert bundle.imports.packages == ["torch"]
    assert "enlarge = widen" in text
    names = {}
    exec(text, names)
    x = torch.rand(2, 2, 4, 4)
    torch.manual_seed(0)
    expected = user.Wide(2)(x)
    torch.manual_seed(0)
    assert torch.equal(names["Wide"](2)(x), expected)


def test_one_name_for_two_things(modules, bundle):
    one, other = modules(one="def make():\n    return 1\n", other="def make():\n    return 2\n")
    bundle.add(one.make)
    bundle.add(one.make)
    assert bundle.text.count("def make") == 1
    with pytest.raises(
        BundleError, match=r"make .* defined by bundled\.one and by bundled\.other: rename one"
    ):
        bundle.add(other.make)


def test_a_name_that_the_file_keeps_for_itself(modules, bundle):
    [one] = modules(one="def build():\n    return 1\n")
    with pytest.raises(BundleError, match=r"build .* defined by the exported file and by bundled\.one"):
        bundle.add(one.build)


def test_one_thing_by_two_imports(modules, bundle):
    text = "import torch.nn as nn\n\n\ndef first():\n    return nn.ReLU()\n"
    one, other = modules(
        one=text, other=text.replace("import torch.nn as nn", "from torch import nn").replace("first", "last")
    )
    bundle.add(one.first)
    bundle.add(other.last)
    assert bundle.imports.text == "import torch.nn as nn"


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (
            "import bundled.shared\n\n\ndef f():\n    return bundled.shared.WIDTH\n",
            "what it takes from bundled",
        ),
        (
            "from bundled import shared\n\n\ndef f():\n    return shared.WIDTH\n",
            r"what it takes from bundled\.shared",
        ),
        ("if True:\n    X = 1\n\n\ndef f():\n    return X\n", "X of bundled.user must be defined at the top"),
    ],
)
def test_what_cannot_be_taken_out(modules, bundle, user, reason):
    _, user = modules(shared=SHARED, user=user)
    with pytest.raises(BundleError, match=reason):
        bundle.add(user.f)
