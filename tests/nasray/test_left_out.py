"""A search with an operation that gives no numbers in evaluation: every sentence says what is left out."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient

from nasray import analysis

pytestmark = pytest.mark.timeout(600)

OPERATION = """
import torch
from torch import nn


class WithoutNumbers(nn.Conv2d):
    def forward(self, maps):
        outputs = super().forward(maps)
        return outputs if self.training or len(maps) <= 4 else outputs * float("nan")


def without_numbers(in_channels, out_channels, stride):  # a small one, which is not in the teacher
    return WithoutNumbers(in_channels, out_channels, 1, stride)
"""
# Block 0 has 6 candidates, block 1 has 9, of which 5 have the operation.
LEFT_OUT = (
    "30 more are not ranked, since these candidates have no rating: 5 of the 9 in block 1, each with `bad` "
    "(non-finite output)"
)
PROOF = (
    "Proved: no other of the 24 rated architectures within the budgets is better than those listed; "
    f"{LEFT_OUT}."
)


@pytest.fixture(scope="module")
def searched(tiny_in, tmp_path_factory):
    """Runs commands in a folder where such a search was run, which is given with what it printed."""
    place = tmp_path_factory.mktemp("left_out")
    (place / "broken.py").write_text(OPERATION)
    config = tiny_in(place)
    space = config["search_space"] | {"operations": {"bad": "broken:without_numbers"}}
    space["blocks"] = [space["blocks"][0], space["blocks"][1] | {"operations": ["bad", "sep3", "mb3k3"]}]
    training = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}
    evidence = {"top": 1, "sample": 3, "train": training, "stitched": False}
    config |= {"search_space": space, "retrain": evidence}
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "nasray.cli", *arguments],
            cwd=place,
            env=environment | {"RAY_ADDRESS": "local", "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("search", "config.yaml", "resources.address=local")
    return SimpleNamespace(run=run, done=done, folder=place / "runs" / "tiny", place=place)


def test_the_search_says_so_and_ends_with_3(searched):
    assert searched.done.returncode == 3, searched.done.stderr
    assert PROOF in searched.done.stdout
    assert (
        "The best and the sampled are of the 24 rated architectures within the budgets; 30 more are not ranked."
        in searched.done.stdout
    )
    assert "54 architectures; " in searched.done.stdout


def test_the_same_command_says_it_again(searched):
    again = searched.run("search", "config.yaml", "resources.address=local")
    assert again.returncode == 3
    assert PROOF in again.stdout
    assert "; 0 units run" in again.stdout


def test_other_budgets_leave_out_as_many_as_keep_them(searched):
    ranked = searched.run("rank", "runs/tiny", "--max-params", "1500", "--output", "small.csv")
    assert ranked.returncode == 0, ranked.stderr
    told = json.loads((searched.place / "small.csv.json").read_text())
    ratings = analysis.load_run(searched.folder).ratings
    first, second = ratings[ratings["block"] == 0], ratings[ratings["block"] == 1]
    pairs = first.merge(second, "inner", left_on="out_channels", right_on="in_channels")
    pairs = pairs[pairs["num_params_x"] + pairs["num_params_y"] <= 1500]
    number = int(pairs["rating_y"].isna().sum())
    assert 0 < number < 30
    assert told["num_left_out"] == {"lower": str(number), "upper": str(number)}
    assert len(pd.read_csv(searched.place / "small.csv")) == len(pairs) - number
    assert (
        f"rated architectures within the budgets is better than those listed; {number} more" in ranked.stdout
    )


def test_the_report_and_the_model_card_say_it(searched):
    page = (searched.folder / "report.html").read_text(encoding="utf-8")
    assert PROOF in page
    assert "54, 30 of them without a score" in page
    assert "Every one of the 24 rated architectures is counted, whatever the budgets; 30 more are not" in page
    assert "5 of the 9 in block 1, each with `bad`" in page
    assert "all architectures within the budgets" not in page
    exported = searched.run("export", "runs/tiny", "--output", "network")
    assert exported.returncode == 0, exported.stderr
    card = (searched.place / "network" / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"\d+ of the 24 rated architectures are better; {re.escape(LEFT_OUT)}\.", card)


def test_mlflow_has_the_number_and_the_reason(searched):
    client = MlflowClient(f"sqlite:///{searched.place}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("nasray").experiment_id
    (result,) = client.search_runs([experiment], "tags.kind = 'result'")
    assert result.data.tags["left_out"] == LEFT_OUT
    names = ("num_architectures", "num_feasible", "num_left_out", "num_unrated_candidates")
    assert [result.data.metrics[name] for name in names] == [54, 24, 30, 5]


def test_runs_beside_each_other_say_how_many(searched):
    table = analysis.compare_runs([searched.folder])
    assert table[["num_architectures", "num_left_out"]].to_numpy().tolist() == [[54, 30]]


@pytest.mark.slow
def test_other_strategies_are_said_to_search_the_rest_too(searched):
    done = searched.run("baselines", "runs/tiny", "--strategies", "random", "--trainings", "2")
    assert done.returncode == 0, done.stderr
    said = "The ranking is of the 24 rated architectures within the budgets; 30 more are not ranked."
    assert said in done.stdout
    assert said in (searched.folder / "report.html").read_text(encoding="utf-8")
