from types import SimpleNamespace

import optuna
import pytest
from mlflow.tracking import MlflowClient

from nasray.run.folder import RunFolder
from nasray.scheduling.schedule import FAILURE
from nasray.settings.loading import load_config
from nasray.sweeps.tracking import RUN_NAME, TrackSweep, close_interrupted
from nasray.tracking.tracker import Tracker, tracking_uri


@pytest.fixture
def tracked(tiny, monkeypatch):
    """A tracker, a study with two trials, of which the first failed, and both as Tune has them."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = load_config(tiny())
    study = optuna.create_study()
    trials = []
    for number in range(2):
        study.ask().set_user_attr(RUN_NAME, f"sweep/{number}")
        plain = {
            "trial": number,
            "name": f"sweep/{number}",
            "swept_unit": "teacher",
            "params": {"lr": number},
            "spec": {"inputs": {"seed": 0}},
        }
        trials.append(SimpleNamespace(trial_id=str(number), config=plain))
    return config, Tracker(config, RunFolder.of(config)), study, trials


def runs_of(config):
    client = MlflowClient(tracking_uri(config))
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    found = client.search_runs([experiment.experiment_id])
    return client, {run.data.tags["unit"]: run for run in found}


def test_each_trial_has_a_run_that_tells_how_it_ended(tracked):
    config, tracker, study, trials = tracked
    callback = TrackSweep(tracker, study)
    for trial in trials:
        callback.on_trial_start(0, [], trial)
        for epoch in (1, 2, 1, 2, 3):  # its process died, and the first epochs were told again
            callback.on_trial_result(
                0, [], trial, {"epoch": epoch, "seconds": 0.5, "train_loss": 1.0 / epoch}
            )
    optuna.trial.Trial(study, 0).set_user_attr(FAILURE, "diverged")
    callback.on_trial_error(0, [], trials[0])
    callback.on_trial_complete(0, [], trials[1])
    client, runs = runs_of(config)
    assert set(runs) == {"sweep/0", "sweep/1"}
    assert [runs[name].info.status for name in sorted(runs)] == ["FAILED", "FINISHED"]
    assert runs["sweep/0"].data.tags[FAILURE] == "diverged"
    for number, run in enumerate(runs[name] for name in sorted(runs)):
        assert run.data.tags["kind"] == "sweep"
        assert run.data.params == {"swept_unit": "teacher", "seed": "0", "lr": str(number)}
        curve = client.get_metric_history(run.info.run_id, "train_loss")
        assert [metric.step for metric in curve] == [1, 2, 3]


def test_runs_of_trials_whose_driver_died_are_ended(tracked):
    config, tracker, study, trials = tracked
    TrackSweep(tracker, study).on_trial_start(0, [], trials[0])
    close_interrupted(tracker, study.get_trials()[:1])
    _, runs = runs_of(config)
    assert {name: run.info.status for name, run in runs.items()} == {"sweep/0": "FAILED"}
    assert runs["sweep/0"].data.tags[FAILURE] == "the sweep was interrupted"
