import optuna
import pandas as pd
import pytest
import yaml
from optuna.trial import TrialState

from nasray.scheduling.schedule import FAILURE
from nasray.settings.loading import load_config
from nasray.settings.sweeps import SweepConfig
from nasray.sweeps.results import best_trials, overrides_of, trials_table, write_results
from nasray.sweeps.study import distribution
from nasray.sweeps.unit import SweepFolder

SWEEP = SweepConfig.model_validate(
    {
        "unit": "teacher",
        "objectives": {"loss": "min", "accuracy": "max"},
        "domains": {
            "teacher.train.lr": {"low": 0.001, "high": 0.1, "log": True},
            "teacher.train.gradient_clip": {"choices": [None, 1.0]},
            "teacher.train.optimizer": {"choices": ["sgd", "adamw"]},
        },
    }
)


@pytest.fixture
def study():
    """Three complete trials, of which the second is worse than the first in both; one failed; one interrupted."""
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0)
    )
    space = {key: distribution(domain) for key, domain in SWEEP.domains.items()}
    for values in ([0.9, 0.5], [0.8, 0.6], [0.7, 0.1]):
        study.tell(study.ask(space), values)
    failed = study.ask(space)
    failed.set_user_attr(FAILURE, "diverged")
    for trial in (failed, study.ask(space)):
        study.tell(trial, state=TrialState.FAIL)
    return study


def test_the_best_of_several_objectives_are_those_that_no_other_beats(study):
    assert [trial.number for trial in best_trials(study)] == [0, 2]


def test_without_a_complete_trial_there_is_no_best():
    study = optuna.create_study()
    study.tell(study.ask(), state=TrialState.FAIL)
    assert best_trials(study) == ()


def test_the_files_hold_what_was_tried_and_what_to_use(study, tmp_path, tiny):
    folder = SweepFolder(tmp_path)
    table = trials_table(SWEEP, study.trials)
    write_results(table, SWEEP, best_trials(study), folder)
    read = pd.read_parquet(folder.trials)
    pd.testing.assert_frame_equal(read, table)
    assert list(read["state"]) == ["complete"] * 3 + ["fail", "interrupted"]
    assert list(read["failure"].dropna()) == ["diverged"]
    assert list(read["accuracy"][:3]) == [0.9, 0.8, 0.7]
    assert set(read["teacher.train.gradient_clip"]) <= {"null", "1.0"}
    best = yaml.safe_load(folder.best.read_text())["best"]
    assert [entry["values"] for entry in best] == [
        {"accuracy": 0.9, "loss": 0.5},
        {"accuracy": 0.7, "loss": 0.1},
    ]
    for entry, trial in zip(best, best_trials(study), strict=True):
        train = load_config(tiny(), entry["overrides"]).teacher.train
        chosen = {key.rpartition(".")[2]: value for key, value in trial.params.items()}
        assert {key: getattr(train, key) for key in chosen} == chosen
        assert entry["overrides"] == overrides_of(trial)
