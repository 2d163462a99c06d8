"""Methods by name, and one of the user's own from its settings to what it found."""

import json
import subprocess
import sys

import pytest

from nasray import analysis
from nasray.experiment import search
from nasray.inputs.shared import unit_inputs
from nasray.methods.method import load_method
from nasray.run.folder import RunFolder
from nasray.settings.loading import dump_config, load_config
from nasray.settings.methods import METHODS, Declaration, declared
from nasray.trainables.units import parse_spec

OWN = '''
"""A lottery: the architecture that is drawn first wins."""

import json
from typing import Literal

import numpy as np
from pydantic import Field

from nasray.methods import Declaration, Method, MethodSettings
from nasray.methods.method import Find
from nasray.scheduling.unit import Unit
from nasray.trainables.inputs import UnitSpec


class LotterySettings(MethodSettings):
    method: Literal["lottery:LOTTERY"] = "lottery:LOTTERY"
    seed: int = Field(default=0, ge=0)
    tickets: int = 1


class LotterySpec(UnitSpec):
    kind: Literal["lottery:LotterySpec"] = "lottery:LotterySpec"
    config: LotterySettings

    @property
    def outputs(self):
        return (self.folder / "drawn.json",)

    def run(self):
        architecture = str(self.inputs.space.sample(np.random.default_rng(self.config.seed)))
        self.outputs[0].write_text(json.dumps(architecture))
        yield {"luck": 0.5, "architecture": architecture}


def _mistakes(settings, config):
    if settings.tickets > 1 and config.retrain is None:
        yield "tickets must be 1 where nothing is trained for real"


class Lottery(Method):
    declaration = Declaration(
        settings=LotterySettings,
        stages=("drawing",),
        finds=True,
        mistakes=_mistakes,
        section="lottery:section",
    )

    def units(self, search, folder, inputs):
        own = inputs.without_teacher()
        spec = LotterySpec(name="drawing", folder=folder.unit("drawing"), inputs=own, config=search)
        return {"drawing": [Unit(spec)]}

    def found(self, folder):
        return Find(json.loads((folder.unit("drawing") / "drawn.json").read_text()), 1, 2)


LOTTERY, NOTHING = Lottery(), object()


def section(run):
    from nasray.analysis.report.content import Section

    return None if run.found is None else Section("lottery", "Lottery", "Whoever is drawn wins.", [])
'''


@pytest.fixture
def lottery(tmp_path, monkeypatch):
    """The user's module in the current directory, as `nasray search` finds it; forgotten afterwards."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "lottery.py").write_text(OWN)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder / "lottery.py"
    sys.modules.pop("lottery", None)
    from nasray.settings.methods import _load

    _load.cache_clear()


@pytest.fixture
def config(tiny, lottery):
    def build(settings=(), **changes):
        searches = [{"method": "lottery:LOTTERY"} | dict(settings)]
        plain = tiny(searches=searches, **changes)
        return {key: value for key, value in plain.items() if key not in ("teacher", "features")}

    return build


@pytest.mark.parametrize("name", METHODS)
def test_each_method_that_ships_is_declared_and_does_what_it_declares(name):
    method = load_method(name)
    assert method.declaration is declared(name)
    assert declared(name).settings.model_fields["method"].default == name


def test_declarations_of_one_method_are_one():
    assert all(declared(name) is declared(name) for name in METHODS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dnq", r"must be one of dna, dna_plus, .* got 'dnq'; did you mean 'dna'\?"),
        ("", "must be one of dna, .* got ''$"),
        ("no_such_module_here:X", "no module 'no_such_module_here' is installed or lies in"),
        ("lottery:LOTTERIE", "module lottery must define 'LOTTERIE'; did you mean 'LOTTERY'"),
        (
            "lottery:NOTHING",
            "lottery:NOTHING must be a nasray.methods.Method with a declaration, got one without",
        ),
        ("lottery:", "is written"),
    ],
)
def test_what_is_no_method_is_told(lottery, name, message):
    with pytest.raises(ValueError, match=message):
        declared(name)


def test_a_module_that_fails_is_told_with_its_error(lottery, config):
    lottery.write_text("raise KeyError('fate')")
    with pytest.raises(
        ValueError, match=r"searches\.0\.method: .*importing lottery failed: KeyError: 'fate'"
    ):
        load_config(config())


def test_settings_of_a_users_own_method_are_read_with_defaults(config, tmp_path):
    (own,) = load_config(config({"seed": 3})).searches
    assert own.model_dump() == {"method": "lottery:LOTTERY", "seed": 3, "tickets": 1}
    whole = load_config(config())
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(whole))
    assert load_config(path) == whole
    assert load_config(config({"seed": 3})).differences(whole) == ["searches.0.seed: 3 -> 0"]


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        (
            {"sede": 1},
            {},
            r"searches\.0\.sede: unknown key; did you mean seed\? allowed are method, seed, tickets",
        ),
        ({"seed": "1"}, {}, r"searches\.0\.seed: .*valid integer, got '1'"),
        ({"seed": -1}, {}, r"searches\.0\.seed: .*greater than or equal to 0, got -1"),
        ({"tickets": 2}, {}, "tickets must be 1 where nothing is trained for real"),
        ({}, {"budgets": {"num_params": 1e6}}, "budgets must go with a search that rates all candidates"),
    ],
)
def test_mistakes_of_a_users_own_method_are_told_as_ours(config, settings, changes, message):
    with pytest.raises(ValueError, match=message):
        load_config(config(settings, **changes))


def test_a_declaration_may_say_little(lottery):
    own = Declaration(settings=declared("lottery:LOTTERY").settings)
    assert (own.ranks, own.finds, own.stages, list(own.mistakes(None, None))) == (False, False, (), [])


def test_another_text_of_its_module_makes_its_units_anew(config, lottery):
    before = _drawing(config())
    received = parse_spec(before.model_dump(mode="json"))
    assert (received, received.fingerprint) == (before, before.fingerprint)
    assert "module lottery" in before.sources
    lottery.write_text(OWN.replace("default_rng(self.config.seed)", "default_rng(self.config.seed + 1)"))
    assert _drawing(config()).fingerprint != before.fingerprint


@pytest.mark.timeout(600)
def test_a_users_own_method_searches_on_ray(config, lottery):
    """From the command line, beside the module; what it found is then there for every other launch."""
    (lottery.parent / "own.json").write_text(json.dumps(config()))
    command = [sys.executable, "-m", "nasray.cli", "search", "own.json", "resources.address=local"]
    done = subprocess.run(command, cwd=lottery.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spec = _drawing(config())
    architecture = json.loads((spec.folder / "drawn.json").read_text())
    assert spec.is_done
    assert f"lottery:LOTTERY found {architecture}" in " ".join(done.stdout.split())
    result = search(config())
    (found,) = result.found.to_dict("records")
    assert (found["search"], found["architecture"]) == ("lottery:LOTTERY", architecture)
    assert result.num_units_run == 0
    assert analysis.load_run(result.folder).curves["value"].tolist() == [0.5]
    assert 'id="lottery"' in (result.folder / "report.html").read_text(encoding="utf-8")


def _drawing(plain):
    """The unit of the one search of a config."""
    config = load_config(plain)
    folder = RunFolder.of(config)
    inputs = unit_inputs(config, folder)
    (unit,) = load_method("lottery:LOTTERY").units(config.searches[0], folder, inputs)["drawing"]
    return unit.spec
