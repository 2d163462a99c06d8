import os
from pathlib import Path

from ray.tune.schedulers import FIFOScheduler

from nasray.cluster.cluster import ray_cluster
from nasray.scheduling.schedule import FAILURE, ReadyUnits, _file_name, failures_of, run_trials
from nasray.scheduling.unit import Unit
from nasray.settings.resources import ResourcesConfig


def plenty(running, candidates):
    return candidates[0]


class Spec:
    """Stands for a unit's spec where only its name counts."""

    def __init__(self, name):
        self.name = name
        self.folder = Path(name)

    def model_dump(self, mode):
        return {"name": self.name}


def unit(name, *needs, cost=0.0):
    return Unit(Spec(name), needs, cost)


def name_of(config):
    return config["spec"]["name"]


def test_units_start_when_what_they_need_is_done():
    searcher = ReadyUnits([unit("teacher"), unit("a", "teacher"), unit("b", "teacher", "a")], set(), plenty)
    assert name_of(searcher.suggest("1")) == "teacher"
    assert searcher.suggest("2") is None
    searcher.on_trial_complete("1", {})
    assert name_of(searcher.suggest("3")) == "a"
    assert searcher.suggest("4") is None
    searcher.on_trial_complete("3", {})
    assert name_of(searcher.suggest("5")) == "b"
    assert searcher.suggest("6") == ReadyUnits.FINISHED


def test_the_longest_ready_unit_starts_first():
    units = [unit("short", cost=1), unit("long", cost=9), unit("longest", "short", cost=99)]
    searcher = ReadyUnits(units, set(), plenty)
    assert [name_of(searcher.suggest(str(i))) for i in range(2)] == ["long", "short"]


def test_what_is_done_already_lets_others_start():
    searcher = ReadyUnits([unit("a", "teacher")], {"teacher"}, plenty)
    assert name_of(searcher.suggest("1")) == "a"


def test_a_failure_stops_those_that_need_it_and_no_others():
    searcher = ReadyUnits([unit("a"), unit("b", "a"), unit("c")], set(), plenty)
    assert [name_of(searcher.suggest(str(i))) for i in range(2)] == ["a", "c"]
    searcher.on_trial_complete("0", {FAILURE: "diverged"})
    assert searcher.suggest("2") is None  # c still runs, and might be needed by something
    searcher.on_trial_complete("1", {})
    assert searcher.suggest("3") == ReadyUnits.FINISHED


def test_an_error_counts_as_a_failure():
    searcher = ReadyUnits([unit("a"), unit("b", "a")], set(), plenty)
    searcher.suggest("0")
    searcher.on_trial_complete("0", None, error=True)
    assert searcher.suggest("1") == ReadyUnits.FINISHED


def test_no_more_units_are_given_than_there_is_room_for():
    room = [2]

    def choose(running, candidates):
        return candidates[0] if len(running) < room[0] else None

    searcher = ReadyUnits([unit("a"), unit("b"), unit("c")], set(), choose)
    assert searcher.suggest("0")
    assert searcher.suggest("1")
    assert searcher.suggest("2") is None
    searcher.on_trial_complete("0", {})
    assert name_of(searcher.suggest("2")) == "c"


def test_the_longest_is_asked_for_first_and_another_may_be_chosen():
    asked = []

    def second(running, candidates):
        asked.append([spec.name for spec in candidates])
        return candidates[1]

    searcher = ReadyUnits([unit("a", cost=1), unit("b", cost=3), unit("c", cost=2)], set(), second)
    assert name_of(searcher.suggest("0")) == "c"
    assert name_of(searcher.suggest("1")) == "a"
    assert asked == [["b", "c", "a"], ["b", "a"]]


def die(config):
    os._exit(1)


def test_a_process_that_dies_before_it_tells_anything_is_a_failure(tmp_path):
    resources = ResourcesConfig(address="local", max_failures=0)
    units = [unit("block_0/2x16")]
    searcher = ReadyUnits(units, set(), plenty)
    with ray_cluster(resources):
        results = run_trials(searcher, FIFOScheduler(), 1, "schedule", resources, tmp_path, [], die)
    failures = failures_of(results, units)
    assert failures == {"block_0/2x16": "its process or its node died, every time it was tried"}


def test_no_two_units_share_a_folder():
    names = ["a/b-c", "a-b/c", "a=2Fb-c", "a/b/c", "a-b-c"]
    folders = {_file_name(name) for name in names}
    assert len(folders) == len(names)
    assert not any("/" in folder for folder in folders)
