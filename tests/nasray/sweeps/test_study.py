import sqlite3

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import TrialState

from nasray.errors import UserError
from nasray.scheduling.schedule import FAILURE
from nasray.settings.sweeps import Domain, SweepConfig
from nasray.sweeps.study import distribution, fail_interrupted, num_ended, open_study, sampler
from nasray.sweeps.unit import SweepFolder

LR = {"low": 0.001, "high": 0.1, "log": True}
SWEEP = {"unit": "teacher", "objectives": {"loss": "min"}, "domains": {"teacher.train.lr": LR}}


@pytest.fixture
def folder(tmp_path):
    return SweepFolder(tmp_path / "sweep")


def sweep(**changes):
    return SweepConfig.model_validate(SWEEP | changes)


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ({"low": 1, "high": 9, "step": 2}, IntDistribution(1, 9, step=2)),
        ({"low": 1, "high": 9, "log": True}, IntDistribution(1, 9, log=True)),
        ({"low": 1, "high": 9.0}, FloatDistribution(1, 9)),
        ({"low": 0.0, "high": 0.9, "step": 0.3}, FloatDistribution(0, 0.9, step=0.3)),
        (LR, FloatDistribution(0.001, 0.1, log=True)),
        ({"choices": ["a", None, 3]}, CategoricalDistribution(["a", None, 3])),
    ],
)
def test_a_domain_is_the_same_for_optuna(plain, expected):
    assert distribution(Domain.model_validate(plain)) == expected


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, TPESampler),
        ({"objectives": {"loss": "min", "accuracy": "max"}}, NSGAIISampler),
        ({"sampler": "nsga2"}, NSGAIISampler),
        ({"sampler": "random"}, RandomSampler),
        ({"sampler": "tpe", "objectives": {"loss": "min", "accuracy": "max"}}, TPESampler),
    ],
)
def test_the_objectives_choose_the_sampler_unless_the_config_does(changes, kind):
    assert isinstance(sampler(sweep(**changes), seed=2**60), kind)


def test_a_study_goes_on_in_the_next_launch(folder):
    first = open_study(sweep(objectives={"loss": "min", "accuracy": "max"}), folder)
    first.tell(first.ask(), [0.9, 0.1])
    again = open_study(sweep(objectives={"accuracy": "max", "loss": "min"}, num_trials=50), folder)
    assert again.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert [trial.values for trial in again.trials] == [[0.9, 0.1]]


def test_trials_left_by_a_driver_that_died_count_for_nothing(folder):
    study = open_study(sweep(), folder)
    failed = study.ask()
    failed.set_user_attr(FAILURE, "diverged")
    study.tell(failed, state=TrialState.FAIL)
    study.tell(study.ask(), 0.5)
    study.ask()
    study = open_study(sweep(), folder)
    assert [trial.number for trial in fail_interrupted(study)] == [2]
    assert study.trials[2].state == TrialState.FAIL
    assert num_ended(study) == 2
    assert fail_interrupted(study) == []


def test_another_sweep_does_not_go_on_in_the_same_study(folder):
    study = open_study(sweep(), folder)
    study.tell(study.ask(), 0.5)
    other = sweep(sampler="random", domains={"teacher.train.lr": LR | {"high": 0.2}})
    with pytest.raises(
        ValueError, match=r"move it away or undo:\n  sweep\.domains\..*: 0\.1 -> 0\.2\n  .*: auto -> random$"
    ):
        open_study(other, folder)
    assert len(open_study(sweep(), folder).trials) == 1


def test_a_study_without_a_result_makes_way_for_another(folder):
    study = open_study(sweep(objectives={"loss": "max"}), folder)
    study.tell(study.ask(), state=TrialState.FAIL)
    study = open_study(sweep(), folder)
    assert study.trials == []
    assert study.direction == optuna.study.StudyDirection.MINIMIZE


def test_a_study_lies_in_a_folder_of_any_name(tmp_path):
    folder = SweepFolder(tmp_path / "a?b {c} %20" / "sweep")
    open_study(sweep(), folder)
    assert folder.study.is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["a?b {c} %20"]


def test_a_study_of_another_version_is_told_with_its_remedy(folder):
    open_study(sweep(), folder)
    with sqlite3.connect(folder.study) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    with pytest.raises(UserError, match=r"optuna storage upgrade --storage sqlite:///.*study\.db"):
        open_study(sweep(), folder)
    folder.study.write_text("no database")
    with pytest.raises(UserError, match="file is not a database"):
        open_study(sweep(), folder)
