import json

import numpy as np
import pandas as pd
import pytest

from nasray.comparison.arms import arm_runs
from nasray.comparison.judge import Judge
from nasray.comparison.scores import Rater
from nasray.comparison.table import (
    comparison_table,
    random_find,
    run_find,
    run_rater,
    trivial_find,
    with_scores,
)
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.core.trainable import mark_done

CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}
GENOTYPES = [f"|{name}~0|+|none~0|none~1|+|none~0|none~1|none~2|" for name in ("none", "nor_conv_1x1")]


class Comparison:
    """Two arms of SD-DARTS with three seeds in a space of cells, whose searches and trainings are made up."""

    def __init__(self, plain):
        self.config = load_config(plain)
        folder = RunFolder.of(self.config)
        self.inputs = unit_inputs(self.config, folder)
        self.judge = Judge(self.config.comparison.judge, self.config, folder, "nasbench201", self.inputs)
        self.runs = {(run.arm, run.seed): run for run in arm_runs(self.config)}

    def search(self, run, *, epoch=3):
        """Leave what a search found that measured after epochs 2 and 3."""
        history = []
        for number in (1, 2, 3):
            metrics = {"epoch": number, "num_skips": float(number), "seconds": 2.0}
            history.append(metrics | ({"alpha_eigenvalue": number + run.seed / 10} if number > 1 else {}))
        folder = RunFolder.of(run.config).unit("sd_darts")
        folder.mkdir(parents=True)
        found = {"architecture": self.found_by(run), "epoch": epoch, "num_params": 1, "num_macs": 2}
        (folder / "found.json").write_text(json.dumps(found | {"weights": {}}))
        mark_done(folder, "0", history, cpu_seconds=5.0)

    def train(self, run, accuracies):
        """Leave the trainings of what a search found."""
        specs = self.judge.trainings(self.found_by(run), run)
        for spec, accuracy in zip(specs, accuracies, strict=True):
            spec.folder.mkdir(parents=True)
            retrained = {"architecture": spec.architecture, "test_accuracy": accuracy}
            (spec.folder / "retrained.json").write_text(json.dumps(retrained))
            (spec.folder / "network.safetensors").touch()
            mark_done(spec.folder, spec.fingerprint, [])

    def found_by(self, run):
        return GENOTYPES[run.arm == "taught"]

    def table(self, *keys):
        runs = [self.runs[key] for key in keys or self.runs]
        rows = [run_find(run, RunFolder.of(run.config), None, {}) for run in runs]
        trainings = [
            self.judge.trainings(row["architecture"], run) for row, run in zip(rows, runs, strict=True)
        ]
        return comparison_table(rows, trainings, {"nasbench201": self.inputs}, "plain")


@pytest.fixture
def comparison(tiny):
    def build(**judge):
        search = {"method": "sd_darts", "epochs": 3, "self_distillation": None}
        arms = {"plain": {}, "taught": {"searches.0.self_distillation": {"start_epoch": 1}}}
        settings = {"seeds": [0, 1, 2], "arms": arms, "judge": {"seed": None} | judge}
        return Comparison(tiny(searches=[search], teacher=None, search_space=CELLS, comparison=settings))

    return build


def test_a_row_tells_what_a_search_gave(comparison):
    own = comparison(training_seeds=[0, 1])
    for run in own.runs.values():
        own.search(run)
        own.train(run, [0.8, 0.9])
    table = own.table()
    assert list(zip(table["arm"], table["seed"], strict=True)) == list(own.runs)
    cost = own.inputs.space.cost(GENOTYPES[0])
    row = table[(table["arm"] == "plain") & (table["seed"] == 1)].iloc[0].to_dict()
    assert row == {
        "space": "nasbench201",
        "arm": "plain",
        "seed": 1,
        "column": "plain_seed_1",
        "architecture": GENOTYPES[0],
        "num_params": cost.num_params,
        "num_macs": cost.num_macs,
        "accuracy": pytest.approx(0.85),
        "accuracies": [0.8, 0.9],
        "gain": 0.0,
        "cpu_seconds": 5.0,
        "num_unrated": 0,
        "num_skips": 3.0,
        "alpha_eigenvalue": 3.1,
        "seconds": 6.0,
    }


def test_figures_are_those_of_the_chosen_epoch(comparison):
    own = comparison()
    own.search(own.runs["plain", 0], epoch=2)
    row = own.table(("plain", 0)).iloc[0]
    assert (row["num_skips"], row["alpha_eigenvalue"], row["seconds"]) == (2.0, 2.0, 6.0)


def test_the_gain_is_over_what_the_first_arm_found_with_the_same_seed(comparison):
    own = comparison()
    accuracies = {"plain": [0.6, 0.95, 0.9], "taught": [0.5, 0.9, 0.7]}
    for run in own.runs.values():
        own.search(run)
        own.train(run, [accuracies[run.arm][run.seed]])
    gains = own.table().set_index("arm")["gain"]
    assert gains["plain"].tolist() == [0, 0, 0]
    assert gains["taught"].tolist() == pytest.approx(np.subtract(accuracies["taught"], accuracies["plain"]))


def test_what_is_not_trained_with_every_seed_has_no_accuracy_and_no_gain(comparison):
    own = comparison(training_seeds=[0, 1])
    for run in own.runs.values():
        own.search(run)
        own.train(run, [0.5, 0.6])
    first = own.judge.trainings(GENOTYPES[0], own.runs["plain", 2])[1]
    (first.folder / "done.json").unlink()
    table = own.table().set_index(["arm", "seed"])
    assert table.index[table["accuracy"].isna()].tolist() == [("plain", 2)]
    assert table.index[table["gain"].isna()].tolist() == [("plain", 2), ("taught", 2)]
    assert table.loc[("plain", 2), "accuracies"] == []


def test_no_other_arm_takes_the_first_ones_place(comparison):
    """Where the first arm's search is not done there is no gain."""
    own = comparison()
    for run in own.runs.values():
        own.search(run)
        own.train(run, [0.5])
    table = own.table(("plain", 2), ("taught", 1), ("taught", 2)).set_index(["arm", "seed"])
    assert table.loc[("taught", 2), "gain"] == 0
    assert np.isnan(table.loc[("taught", 1), "gain"])
    assert own.table(("taught", 1), ("taught", 2))["gain"].isna().all()


def test_a_space_of_cells_has_no_scores(comparison):
    own = comparison()
    run = own.runs["plain", 0]
    own.search(run)
    assert run_rater(run, RunFolder.of(run.config), own.inputs) is None


def test_what_a_rater_did_not_rate_it_cannot_find_and_is_counted():
    names = ["1x8:a", "1x8:b", "1x8:c"]
    table = pd.DataFrame({"candidate": names, "rating": [0.1, 0.2, 0.3], "num_params": [9, 2, 1]})
    partly = table.assign(rating=[np.nan, 0.2, np.nan])
    finds = [
        trivial_find(Rater(name, [first, table], None, name), "blocks", {"num_params": 18})
        for name, first in (("whole", table), ("partly", partly))
    ]
    assert [find["architecture"] for find in finds] == ["1x8:a/1x8:a", "1x8:b/1x8:a"]
    assert [find["num_unrated"] for find in finds] == [0, 2]


def test_networks_have_everybodys_scores_and_random_ones():
    first = pd.DataFrame({"candidate": ["1x8:a", "1x8:b"], "rating": [1.0, np.nan]})
    second = pd.DataFrame({"candidate": ["1x8:a", "1x8:b"], "rating": [10.0, 20.0]})
    names = ["1x8:a/1x8:a", "1x8:a/1x8:b", "1x8:b/1x8:a"]
    networks = pd.DataFrame({"architecture": names, "accuracy": [0.5, 0.6, 0.7], "score": np.nan})
    table = with_scores(networks, [Rater("dna", [first, second], 0, "dna_seed_0")], [0, 4])
    assert list(table.columns) == ["architecture", "accuracy", "dna_seed_0", "random_seed_0", "random_seed_4"]
    assert table["dna_seed_0"].tolist()[:2] == [11, 21]
    assert np.isnan(table["dna_seed_0"][2])
    assert table["random_seed_0"].between(0, 1).all()
    assert table["random_seed_0"].tolist() != table["random_seed_4"].tolist()
    assert random_find("blocks", 4, names[0])["column"] == "random_seed_4"
