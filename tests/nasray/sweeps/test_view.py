import io
import shlex
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from rich.console import Console

from nasray.scheduling.schedule import FAILURE
from nasray.settings.sweeps import SweepConfig
from nasray.sweeps.results import SweepResult, best_trials, overrides_of, trials_table
from nasray.sweeps.view import SweepView, print_sweep

SWEEP = SweepConfig.model_validate(
    {
        "unit": "teacher",
        "objectives": {"train_loss": "min"},
        "domains": {"lr": {"low": 0.1, "high": 1}, "paths": {"choices": ["fair", "uniform"]}},
    }
)


@pytest.fixture
def study():
    """A complete and a failed trial."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = {"lr": FloatDistribution(0.1, 1), "paths": CategoricalDistribution(["fair", "uniform"])}
    study.tell(study.ask(space), 0.25)
    failed = study.ask(space)
    failed.set_user_attr(FAILURE, "train_loss must stay finite")
    study.tell(failed, state=TrialState.FAIL)
    return study


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100)


def test_each_trial_that_ended_is_a_line(study, console):
    view = SweepView(SWEEP.metrics, study, console)
    view.on_trial_complete(0, [], SimpleNamespace(config={"trial": 0}))
    view.on_trial_error(0, [], SimpleNamespace(config={"trial": 1}))
    first, second = console.file.getvalue().splitlines()
    assert first.startswith("trial 0    complete ")
    assert f"train_loss 0.2500  lr={study.trials[0].params['lr']:.4g} paths=" in first
    assert "fail" in second
    assert "train_loss must stay finite" in second


def test_the_best_settings_can_be_pasted(study, console):
    best = best_trials(study)
    print_sweep(
        SweepResult(Path("runs/tiny/sweep"), SWEEP, trials_table(SWEEP, study.trials), best, 2, 7.0), console
    )
    told = console.file.getvalue().splitlines()
    (line,) = [line for line in told if line.startswith("Overrides: ")]
    assert shlex.split(line.removeprefix("Overrides: ")) == overrides_of(best[0])
    assert "2 trials (1 complete, 1 fail); 2 run in 7 s" in told
    assert "Sweep's folder: runs/tiny/sweep" in told
