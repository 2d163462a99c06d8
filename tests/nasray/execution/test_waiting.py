"""Units whose node is gone for a while, and results that are seen late."""

import io
import threading
from types import SimpleNamespace

import pytest
from ray.tune.experiment import Trial
from rich.console import Console

from nasray.execution import execution
from nasray.execution.execution import _without_results
from nasray.execution.waiting import TellWaiting
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.placement import check_resources
from nasray.scheduling.unit import Unit
from nasray.settings.loading import load_config
from nasray.settings.resources import ResourcesConfig

pytestmark = pytest.mark.usefixtures("ray_of_two")


@pytest.fixture
def tiny(tiny_on_ray):
    return tiny_on_ray


@pytest.fixture
def spec(tiny):
    """A unit that takes so many CPUs; the machine's Ray has two."""

    def build(num_cpus):
        config = load_config(tiny(compute={"num_threads": num_cpus}))
        folder = RunFolder.of(config)
        return plan_search(config, folder, resolve(config, folder)[1])["teacher"][0].spec

    return build


@pytest.fixture
def trial(spec):
    """A trial of such a unit."""

    def build(num_cpus, status=Trial.PENDING):
        return SimpleNamespace(status=status, config={"spec": spec(num_cpus).model_dump(mode="json")})

    return build


@pytest.fixture
def steps():
    """What is said at the ends of some steps, each with its trials."""

    def run(*steps, patience=0.0):
        text = io.StringIO()
        tells = TellWaiting(ResourcesConfig(), Console(file=text, width=200), patience)
        for trials in steps:
            tells.on_step_end(0, trials)
        return text.getvalue().splitlines()

    return run


def test_what_no_node_can_run_is_said_once_and_that_it_goes_on(trial, steps):
    large, small = trial(64), trial(1)
    assert steps([large], [small, large], [small], [small]) == [
        "teacher waits for a node that has 64 CPU: none is there now",
        "There is a node again for what waits: the search goes on",
    ]


def test_nothing_is_said_of_what_runs_or_has_waited_for_a_moment(trial, steps):
    assert steps([trial(1)], [trial(64, Trial.RUNNING)], [trial(64, Trial.TERMINATED)]) == []
    assert steps([trial(64)], [trial(64)], patience=60.0) == []


def test_a_node_that_was_there_before_may_come_again(spec):
    with pytest.raises(ValueError, match=r"teacher takes 64 CPU, the nodes have 2 CPU"):
        check_resources([spec(64)], ResourcesConfig())
    check_resources([spec(64)], ResourcesConfig(), [{"CPU": 64.0}])


class Spec:
    """A unit whose result is a file."""

    name = "unit"

    def __init__(self, path):
        self._path = path

    @property
    def is_done(self):
        return self._path.exists()


def test_a_result_that_is_seen_late_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "_SECONDS_TO_BE_SEEN", 0.0)
    late = Unit(Spec(tmp_path / "late"))
    assert _without_results([late]) == ["unit"]
    monkeypatch.setattr(execution, "_SECONDS_TO_BE_SEEN", 30.0)
    threading.Timer(0.5, (tmp_path / "late").touch).start()
    assert _without_results([late]) == []
