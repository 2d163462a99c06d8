import io

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray.cli import main
from nasray.commands.baselines import baselines
from nasray.experiment import search
from nasray.settings.loading import load_config
from nasray.strategies.strategy import StrategySettings
from nasray.tracking.tracker import tracking_uri
from nasray.trainables.retrain.trainable import read_retrained
from nasray.views.baselines import print_baselines

pytestmark = pytest.mark.timeout(600)

TRAIN = {"epochs": 2, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}
SETTINGS = StrategySettings(trainings=3, batch=2, population=2, reduction=2, fewest_epochs=1)
BUDGETS = {"num_params": 6000}


@pytest.fixture(scope="module")
def searched(tiny_in, tmp_path_factory):
    """A finished search, and all strategies on it; the tests below come in this order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        evidence = {"top": 1, "sample": 0, "training_seeds": [0, 1], "train": TRAIN}
        plain = tiny_in(tmp_path_factory.mktemp("searched"), retrain=evidence, budgets=BUDGETS)
        result = search(plain)
        yield plain, result, baselines(result.folder, settings=SETTINGS)


def test_every_strategy_stands_in_the_table_beside_the_ranking(searched):
    _, result, found = searched
    choices, trainings = found.choices.set_index("strategy"), found.trainings
    assert list(choices.index) == ["random", "evolution", "tpe", "nsga2", "halving", "ranking", "dna"]
    assert (choices["num_params"] <= BUDGETS["num_params"]).all()
    assert choices["architecture"]["dna"] == result.ranking["architecture"][0]
    assert choices["test_accuracy"]["dna"] == result.evidence.networks["accuracy"][0]
    assert (choices["test_accuracies"].map(len) == 2).all()
    for name, own in trainings.groupby("strategy"):
        longest = own[own["epochs"] == TRAIN["epochs"]]
        assert choices["held_out_accuracy"][name] == longest["held_out_accuracy"].max()
        assert choices["architecture"][name] == own["best"].iloc[-1]
        assert own["spent_epochs"].iloc[-1] <= 6
    halving = trainings[trainings["strategy"] == "halving"]
    assert list(halving["epochs"]) == [1, 1, 1, 2]
    cost = choices["cost_epochs"]
    assert cost["random"] == 6
    assert cost["dna"] > 0
    assert cost["ranking"] == cost["dna"] + 6
    for name, frame in (("baselines", found.choices), ("baselines_trainings", trainings)):
        stored = pd.read_parquet(result.folder / f"{name}.parquet")
        assert list(stored["architecture"]) == list(frame["architecture"])
    seeds = {
        read_retrained(path.parent)["seed"]
        for path in result.folder.rglob("retrained.json")
        if read_retrained(path.parent)["architecture"] not in set(choices["architecture"])
        and read_retrained(path.parent)["architecture"] not in set(result.evidence.networks["architecture"])
    }
    assert seeds <= {0}, "the other seeds are for the choices"


def test_the_same_again_runs_nothing_and_mlflow_has_a_curve_per_strategy(searched):
    plain, result, found = searched
    console = Console(record=True, width=160, file=io.StringIO())
    again = baselines(result.folder, settings=SETTINGS, console=console)
    assert "done" not in console.export_text()
    pd.testing.assert_frame_equal(again.choices, found.choices)
    pd.testing.assert_frame_equal(again.trainings, found.trainings)
    client = MlflowClient(tracking_uri(load_config(plain)))
    experiment = client.get_experiment_by_name("nasray").experiment_id
    runs = client.search_runs([experiment], "tags.kind = 'baseline'")
    assert len(runs) == 6
    assert {run.info.status for run in runs} == {"FINISHED"}
    (random,) = [run for run in runs if run.data.params["strategy"] == "random"]
    curve = client.get_metric_history(random.info.run_id, "best_held_out_accuracy")
    own = found.trainings[found.trainings["strategy"] == "random"]
    assert [point.value for point in curve] == list(own["best_held_out_accuracy"])
    assert random.data.tags["architecture"] == own["best"].iloc[-1]
    choices = found.choices.set_index("strategy")
    assert random.data.metrics["test_accuracy"] == choices["test_accuracy"]["random"]


@pytest.mark.slow
def test_further_seeds_are_added_to_what_is_there(searched):
    _, result, found = searched
    more = baselines(result.folder, settings=SETTINGS, strategies=["random", "ranking"], num_seeds=2)
    assert list(zip(more.choices["strategy"], more.choices["seed"], strict=True)) == [
        ("random", 0),
        ("ranking", 0),
        ("dna", 0),
        ("random", 1),
    ]
    first = more.trainings[more.trainings["seed"] == 0]
    for name, own in first.groupby("strategy"):
        before = found.trainings[found.trainings["strategy"] == name]
        assert list(own["architecture"]) == list(before["architecture"])
    text = io.StringIO()
    print_baselines(more, Console(width=160, highlight=False, file=text))
    own = more.choices[more.choices["strategy"] == "random"]["test_accuracy"]
    assert f"{own.mean():.4f} ({own.min():.4f} to {own.max():.4f})" in text.getvalue()
    assert "the architecture is that of the search that ended best" in text.getvalue()
    alone = baselines(result.folder, settings=SETTINGS, strategies=["ranking"], num_seeds=2)
    assert list(alone.choices["strategy"]) == ["ranking", "dna"], "no seed changes what the ranking trains"


def test_what_is_printed(searched):
    _, _, found = searched
    text = io.StringIO()
    print_baselines(found, Console(width=160, highlight=False, file=text))
    for name in found.choices["strategy"]:
        assert name in text.getvalue()
    assert "chosen without any training" in text.getvalue()
    cost = found.choices.set_index("strategy")["cost_epochs"]["dna"]
    assert f"as many multiply-accumulates as {cost:.0f} epochs" in text.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategies", "random,tep"], "strategies must be of random, evolution"),
        (["--strategies", "tpe,tpe"], "strategies must be different ones, got tpe, tpe"),
        (["--seeds", "0"], "the number of seeds must be at least 1, got 0"),
        (["--trainings", "0"], "trainings: must be greater than or equal to 1, got 0"),
        (["budgets.num_params=5000"], "changes may concern retrain.train and resources alone"),
        (["retrain.top=2"], "changes may concern retrain.train and resources alone"),
        (["retrain=null"], "retrain must say how networks are trained"),
        (["seed=3"], "belongs to another config"),
    ],
)
def test_a_mistake_is_one_message(searched, arguments, message, capsys):
    _, result, _ = searched
    assert main(["baselines", str(result.folder), *arguments]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.slow
def test_cells_have_strategies_but_no_ranking(tiny):
    sd_darts = {"method": "sd_darts", "epochs": 1, "batch_size": 32, "measure": {"num_images": 16}}
    sd_darts["self_distillation"] = None
    plain = tiny(
        searches=[sd_darts],
        search_space={"source": "nasbench201", "channels": 4, "num_cells": 1},
        retrain={"train": TRAIN | {"epochs": 1}},
    )
    result = search(
        {key: value for key, value in plain.items() if key not in ("teacher", "features")},
        stages=["sd_darts"],
    )
    settings = StrategySettings(trainings=2, population=2)
    found = baselines(result.folder, strategies=["evolution"], settings=settings)
    assert list(found.choices["strategy"]) == ["evolution"]
    assert len(found.trainings) == 2
    with pytest.raises(ValueError, match="must be of random, evolution, tpe, nsga2, halving, got ranking"):
        baselines(result.folder, strategies=["ranking"])
