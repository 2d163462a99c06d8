import json

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.schedule import FAILURE
from nasray.settings.loading import load_config
from nasray.sweeps.study import fail_interrupted, num_ended, open_study
from nasray.sweeps.trials import SweepTrials
from nasray.sweeps.unit import SweepFolder, SweptUnit
from nasray.trainables.core.trainable import mark_done
from nasray.trainables.units import parse_spec

SWEEP = {
    "unit": "block_1/2x16",
    "objectives": {"held_out_relative_l1": "min"},
    "num_trials": 4,
    "domains": {
        "searches.0.lr": {"low": 0.001, "high": 0.1, "log": True},
        "searches.0.epochs": {"low": 2, "high": 9},
    },
}


@pytest.fixture
def begin(tiny):
    """A function: study and searcher of a launch of the sweep, as changed, of the smallest search or another one."""

    def begin(num_trials=4, num_slots=1, config=None, **changes):
        requested = load_config((config or tiny()) | {"sweep": SWEEP | changes})
        folder = RunFolder.of(requested)
        unit = SweptUnit(requested.sweep.unit, *resolved(requested, folder))
        study = open_study(requested.sweep, SweepFolder.of(folder))
        return study, SweepTrials(requested.sweep, unit, num_trials, lambda spec: num_slots)

    def resolved(requested, folder):
        config, inputs = resolve(requested, folder)
        return config, folder, inputs

    return begin


def epoch(number, value, **more):
    return {"epoch": number, "num_epochs": 9, "train_loss": 1.0, "held_out_relative_l1": value, **more}


def finish(searcher, trial_id, config, *epochs):
    """As a unit of work does: reports, results, the done-marker."""
    spec = parse_spec(config["spec"])
    for result in epochs:
        searcher.on_trial_result(trial_id, result)
    for path in spec.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    spec.folder.mkdir(parents=True, exist_ok=True)
    mark_done(spec.folder, spec.fingerprint, list(epochs))
    searcher.on_trial_complete(trial_id, {**epochs[-1], "done": True})


def run_all(searcher):
    """Each trial's settings; its value is their sum."""
    found = []
    while (config := searcher.suggest(str(len(found)))) != Searcher.FINISHED:
        finish(searcher, str(len(found)), config, epoch(1, sum(config["params"].values())))
        found.append(config["params"])
    return found


def test_a_trial_is_recorded_with_its_course(begin):
    study, searcher = begin()
    config = searcher.suggest("a")
    spec = parse_spec(config["spec"])
    assert spec.target.config.lr == config["params"]["searches.0.lr"]
    assert spec.target.config.epochs == config["params"]["searches.0.epochs"]
    assert "sweep/0/units/block_1/2x16" in str(spec.folder)
    finish(searcher, "a", config, epoch(1, 0.5), epoch(1, 0.5, replayed=True), epoch(2, 0.4))
    (trial,) = study.trials
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.4)
    assert trial.intermediate_values == {1: 0.5, 2: 0.4}


def test_no_more_trials_are_given_than_there_is_room_for(begin):
    _, searcher = begin(num_trials=3, num_slots=2)
    first = searcher.suggest("0")
    assert first
    assert searcher.suggest("1")
    assert searcher.suggest("2") is None
    finish(searcher, "0", first, epoch(1, 0.5))
    assert searcher.suggest("2")
    assert searcher.suggest("3") == Searcher.FINISHED


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sweep_in_two_launches_is_that_of_one(begin, sampler, tmp_path):
    num_trials = 14  # TPE draws its first ten at random
    whole = run_all(begin(num_trials, sampler=sampler)[1])
    (tmp_path / "runs").rename(tmp_path / "earlier")
    parts = run_all(begin(4, sampler=sampler)[1]) + run_all(begin(num_trials - 4, sampler=sampler)[1])
    assert parts == whole
    assert len({str(params) for params in whole}) == num_trials


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_was_interrupted_is_suggested_again(begin, sampler, tmp_path):
    whole = run_all(begin(12, sampler=sampler)[1])
    (tmp_path / "runs").rename(tmp_path / "earlier")
    study, searcher = begin(12, sampler=sampler)
    for number in range(11):
        config = searcher.suggest(str(number))
        if number < 10:
            finish(searcher, str(number), config, epoch(1, sum(config["params"].values())))
    assert config["params"] == whole[10]
    study, searcher = begin(2, sampler=sampler)
    assert len(fail_interrupted(study)) == 1
    assert run_all(searcher) == whole[10:]


def test_a_search_that_stopped_early_is_judged_by_what_it_chose(begin, tiny):
    config = tiny(searches=[{"method": "sd_darts", "epochs": 9}], teacher=None)
    domains = {"searches.0.lr": {"low": 0.01, "high": 0.1}}
    study, searcher = begin(
        config=config, unit="sd_darts", objectives={"alpha_eigenvalue": "min"}, domains=domains
    )
    suggested = searcher.suggest("a")
    folder = parse_spec(suggested["spec"]).folder
    folder.mkdir(parents=True)
    found = {"architecture": "a", "epoch": 2, "num_params": 1, "num_macs": 1, "weights": {}}
    (folder / "found.json").write_text(json.dumps(found))
    epochs = [epoch(number + 1, 1.0, alpha_eigenvalue=value) for number, value in enumerate((1.0, 2.0, 9.0))]
    finish(searcher, "a", suggested, *epochs)
    assert study.trials[0].value == 2.0


def test_a_trial_that_ended_early_is_pruned_at_its_last_value(begin):
    study, searcher = begin()
    searcher.suggest("a")
    searcher.on_trial_result("a", epoch(1, 0.5))
    searcher.on_trial_complete("a", epoch(2, 0.7, done=True))
    (trial,) = study.trials
    assert (trial.state, trial.value, trial.last_step) == (TrialState.PRUNED, 0.7, 2)


def test_a_failed_trial_keeps_its_reason_and_the_sweep_goes_on(begin):
    study, searcher = begin(num_trials=3)
    searcher.suggest("a")
    searcher.on_trial_result("a", epoch(1, 0.5))
    searcher.on_trial_result("a", {FAILURE: "diverged"})
    searcher.on_trial_complete("a", {FAILURE: "diverged", "done": True})
    searcher.suggest("b")
    searcher.on_trial_complete("b", error=True)
    finish(searcher, "c", searcher.suggest("c"), epoch(1, float("nan")))
    reasons = [trial.user_attrs[FAILURE] for trial in study.trials]
    assert reasons == [
        "diverged",
        "its process failed too often",
        "held_out_relative_l1 must be a finite number, got nan",
    ]
    assert {trial.state for trial in study.trials} == {TrialState.FAIL}
    assert num_ended(study) == 3


def test_values_that_do_not_go_together_fail_that_trial(begin):
    """Of 1,437 images, 1,300 can be trained on or 600 held out, but not both."""
    study, searcher = begin(
        num_trials=8,
        num_slots=9,
        unit="teacher",
        sampler="random",
        objectives={"train_loss": "min"},
        domains={
            "data.num_train_images": {"choices": [64, 1300]},
            "data.num_held_out_images": {"choices": [64, 600]},
        },
    )
    given = [searcher.suggest(str(number)) for number in range(8)]
    for trial, config in zip(study.trials, given, strict=True):
        both = trial.params == {"data.num_train_images": 1300, "data.num_held_out_images": 600}
        assert (trial.state == TrialState.FAIL) == (config is None) == both
    assert None in given


def test_several_objectives_have_values_in_order_of_their_names(begin):
    study, searcher = begin(objectives={"train_loss": "min", "accuracy": "max"})
    finish(searcher, "a", searcher.suggest("a"), epoch(1, 0.5, accuracy=0.9))
    assert study.trials[0].values == [0.9, 1.0]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
