from collections.abc import Iterator
from typing import Literal

import pytest

from nasray.execution.in_process import run_in_process
from nasray.scheduling.schedule import FAILURE, DriverCallback, name_of
from nasray.scheduling.unit import Unit
from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.inputs import UnitInputs, UnitSpec
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig


class Leaving(UnitSpec):
    """Leaves a file; raises before, as often as it is told."""

    kind: Literal["leaving"] = "leaving"
    num_passing: int = 0
    message: str = ""

    @property
    def outputs(self):
        return (self.folder / "left",)

    def run(self) -> Iterator[dict]:
        tried = self.folder / "tried"
        number = int(tried.read_text()) if tried.exists() else 0
        tried.write_text(str(number + 1))
        if number < self.num_passing:
            raise ConnectionResetError("the network is away")
        if self.message:
            raise KeyError(self.message)
        (self.folder / "left").touch()
        yield {"epoch": 1, "loss": 0.5}


class Told(DriverCallback):
    """Keeps what it is told."""

    def __init__(self):
        self.events = []

    def on_trial_start(self, iteration, trials, trial, **info):
        self.events.append(("start", name_of(trial)))

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.events.append((result.get(FAILURE, result.get("loss")), name_of(trial)))

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.events.append(("complete", name_of(trial)))

    def on_trial_error(self, iteration, trials, trial, **info):
        self.events.append(("error", name_of(trial)))


@pytest.fixture
def unit(tmp_path):
    inputs = UnitInputs(
        seed=0,
        data=DataConfig(source="digits"),
        search_space=SpaceConfig(source="digits"),
        compute=ComputeConfig(),
    )
    return lambda name, *needs, **settings: Unit(
        Leaving(name=name, folder=tmp_path / name, inputs=inputs, **settings), needs
    )


def test_units_run_when_what_they_need_is_done(unit):
    told = Told()
    units = [unit("last", "first", "done_before"), unit("first")]
    assert run_in_process(units, {"done_before"}, None, 0, [told]) == {}
    assert told.events == [
        *[("start", "first"), (0.5, "first"), ("complete", "first")],
        *[("start", "last"), (0.5, "last"), ("complete", "last")],
    ]
    assert all(one.spec.is_done for one in units)


def test_what_fails_by_its_own_code_fails_once_and_keeps_back_what_needs_it(unit):
    told = Told()
    units = [unit("bad", message="scale"), unit("behind", "bad"), unit("beside")]
    failures = run_in_process(units, set(), None, 3, [told])
    assert list(failures) == ["bad"]
    assert "KeyError" in failures["bad"]
    assert "'scale'" in failures["bad"]
    assert (units[0].spec.folder / "tried").read_text() == "1"
    assert told.events[1:3] == [(failures["bad"], "bad"), ("complete", "bad")]
    assert [one.spec.is_done for one in units] == [False, False, True]


def test_what_may_pass_is_tried_again(unit):
    assert run_in_process([unit("twice", num_passing=2)], set(), None, 2, []) == {}
    told = Told()
    failures = run_in_process([unit("thrice", num_passing=3)], set(), None, 2, [told])
    assert "the network is away" in failures["thrice"]
    assert told.events[-1] == ("error", "thrice")
