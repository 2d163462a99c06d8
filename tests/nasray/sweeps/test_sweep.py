import io
import shutil

import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray.cli import main
from nasray.errors import SearchFailedError
from nasray.settings.loading import load_config
from nasray.sweeps.sweep import sweep
from nasray.sweeps.view import print_sweep
from nasray.tracking.tracker import tracking_uri

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("ray_of_two")]

BLOCK = {
    "unit": "block_1/2x16",
    "objectives": {"held_out_relative_l1": "min"},
    "num_trials": 2,
    "domains": {
        "searches.0.lr": {"low": 0.001, "high": 0.03, "log": True},
        "searches.0.paths": {"choices": ["uniform", "fair"]},
    },
}
TEACHER = {
    "unit": "teacher",
    "objectives": {"train_loss": "min"},
    "domains": {"teacher.train.lr": {"low": 1e-5, "high": 0.03, "log": True}},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One storage for all sweeps, so that the block's teacher and features are made once."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def with_sweep(tiny, root):
    """A function: the tiny search's config with a sweep, which begins anew with each test."""
    shutil.rmtree(root / "tiny" / "sweep", ignore_errors=True)

    def build(sweep, max_concurrent=2, **changes):
        return tiny(
            storage={"root": str(root)}, resources={"max_concurrent": max_concurrent}, sweep=sweep | changes
        )

    return build


def test_a_sweep_goes_from_its_config_to_the_best_settings(with_sweep, root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    plain = with_sweep(BLOCK)
    console = Console(record=True, width=200, file=io.StringIO())
    result = sweep(plain, console=console)
    print_sweep(result, console)
    trials = result.trials
    assert list(trials["trial"]) == [0, 1]
    assert set(trials["state"]) == {"complete"}
    assert trials["searches.0.lr"].between(0.001, 0.03).all()
    best = trials.loc[trials["held_out_relative_l1"].idxmin()]
    assert [trial.number for trial in result.best] == [best["trial"]]
    pd.testing.assert_frame_equal(pd.read_parquet(root / "tiny" / "sweep" / "trials.parquet"), trials)
    settings = yaml.safe_load((root / "tiny" / "sweep" / "best.yaml").read_text())["best"][0]
    assert load_config(plain, settings["overrides"]).searches[0].lr == best["searches.0.lr"]
    told = console.export_text()
    assert "features/train" in told
    assert f"Overrides: searches.0.lr={float(best['searches.0.lr'])!r}" in told
    assert "2 trials (2 complete); 2 run in" in told
    runs = MlflowClient(tracking_uri(load_config(plain))).search_runs(["1"], "tags.kind = 'sweep'")
    assert {run.data.params["searches.0.lr"] for run in runs} == set(map(str, trials["searches.0.lr"]))
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_sweep_that_goes_on_is_that_of_one_launch(with_sweep, root):
    plain = with_sweep(BLOCK, max_concurrent=1)
    sweep(plain, ["sweep.num_trials=1"])
    parts = sweep(plain)
    assert parts.num_trials_run == 1
    shutil.rmtree(root / "tiny" / "sweep")
    whole = sweep(plain)
    assert whole.num_trials_run == 2
    pd.testing.assert_frame_equal(
        parts.trials.drop(columns="seconds"), whole.trials.drop(columns="seconds"), check_exact=True
    )
    assert sweep(plain).num_trials_run == 0


def test_a_trial_that_diverges_fails_with_its_reason_and_the_sweep_goes_on(with_sweep):
    result = sweep(
        with_sweep(
            BLOCK, num_trials=4, sampler="random", domains={"searches.0.lr": {"choices": [0.01, 1e30]}}
        )
    )
    diverged = result.trials["searches.0.lr"] == "1e+30"
    assert 0 < diverged.sum() < 4
    assert (result.trials["state"] == "fail").equals(diverged)
    assert result.trials["failure"][diverged].str.contains("must stay finite").all()
    assert result.best[0].params == {"searches.0.lr": 0.01}


def test_several_objectives_give_the_pareto_front(with_sweep):
    objectives = {"held_out_accuracy": "max", "train_loss": "min"}
    result = sweep(with_sweep(TEACHER, objectives=objectives, num_trials=4, population_size=2))
    rows = result.trials[["held_out_accuracy", "train_loss"]].to_numpy() * [-1, 1]
    front = {
        number
        for number, row in enumerate(rows)
        if not any((other <= row).all() and (other < row).any() for other in rows)
    }
    assert {trial.number for trial in result.best} == front


def test_asha_prunes_what_falls_behind(with_sweep):
    result = sweep(
        with_sweep(
            TEACHER, num_trials=5, sampler="random", scheduler="asha", reduction_factor=2, max_concurrent=1
        )
    )
    states = result.trials.set_index("trial")["state"]
    assert set(states) == {"complete", "pruned"}
    assert result.trials["train_loss"].notna().all()
    assert states[result.best[0].number] == "complete"


def test_the_settings_of_a_training_for_real_are_searched_with_asha(with_sweep, root):
    plain = with_sweep(
        {
            "unit": "retrain/1x12:mb3k3/2x16:sep3,mb3k3",
            "objectives": {"held_out_accuracy": "max"},
            "domains": {"retrain.train.lr": {"low": 1e-5, "high": 0.03, "log": True}},
        },
        num_trials=4,
        sampler="random",
        scheduler="asha",
        reduction_factor=2,
        max_concurrent=1,
    )
    train = {"epochs": 2, "batch_size": 64, "optimizer": "adamw"}
    result = sweep(plain | {"retrain": {"train": train}})
    assert set(result.trials["state"]) == {"complete", "pruned"}
    assert list(result.best[0].params) == ["retrain.train.lr"]
    (trained,) = (root / "tiny" / "sweep" / str(result.best[0].number)).rglob("retrained.json")
    assert "retrain" in trained.parts


def test_the_settings_of_the_differentiable_search_are_searched_with_asha(with_sweep):
    """By a metric of every epoch; what is measured at the end alone does not disturb it."""
    plain = with_sweep(
        {
            "unit": "sd_darts",
            "objectives": {"val_loss": "min"},
            "domains": {
                "searches.0.lr": {"low": 1e-4, "high": 0.1, "log": True},
                "searches.0.self_distillation.weight": {"choices": [0.0, 1.0, 3.0]},
            },
        },
        num_trials=4,
        sampler="random",
        scheduler="asha",
        reduction_factor=2,
        max_concurrent=1,
    )
    search = {
        "method": "sd_darts",
        "epochs": 3,
        "batch_size": 64,
        "lr_min": 1e-5,
        "self_distillation": {"start_epoch": 1},
        "measure": {"every_epochs": 3, "num_images": 16, "calibration_images": 32, "noise_sigmas": [0.1]},
    }
    result = sweep(plain | {"name": "differentiable", "teacher": None, "searches": [search]})
    assert set(result.trials["state"]) == {"complete", "pruned"}
    assert sorted(result.best[0].params) == ["searches.0.lr", "searches.0.self_distillation.weight"]
    complete = result.trials[result.trials["state"] == "complete"]
    assert result.best[0].number == complete.loc[complete["val_loss"].idxmin(), "trial"]


@pytest.mark.slow
def test_a_sweep_of_which_all_fails_says_why(with_sweep):
    plain = with_sweep(TEACHER, num_trials=1, domains={"teacher.train.lr": {"low": 1e30, "high": 1e31}})
    with pytest.raises(
        SearchFailedError, match=r"none of 1 trials is complete:\n  trial 0: .*must stay finite"
    ):
        sweep(plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sweep": None}, "sweep must be given in the config"),
        ({"sweep": BLOCK | {"num_trails": 3}}, "sweep.num_trails: unknown key; did you mean num_trials?"),
        ({"sweep": BLOCK | {"domains": {"seed": {"low": 3, "hihg": 4}}}}, "did you mean high?"),
        ({"sweep": BLOCK | {"unit": "block_1/2x61"}}, "did you mean 'block_1/2x16'?"),
        ({"sweep": BLOCK | {"domains": {"seed": {"low": 3, "high": 4}}}}, "seed=3 changes"),
        (
            {"sweep": TEACHER | {"objectives": {"train_los": "min"}}},
            "got train_los; did you mean 'train_loss'?",
        ),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(change, message, tiny, tmp_path, capsys):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny(resources={}, **change)))
    for command in ["sweep"], ["search", "--dry-run"]:
        if command == ["sweep"] or change["sweep"] is not None:
            assert main([*command, str(path)]) == 2
            told = capsys.readouterr().err
            assert message in told.replace("\n", " ")
            assert "Traceback" not in told
    assert not (tmp_path / "runs" / "tiny").exists()
