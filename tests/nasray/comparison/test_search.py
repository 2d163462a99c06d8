"""A comparison from its searches to the table of all."""

import io

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray import analysis
from nasray.cli import main
from nasray.errors import SearchFailedError
from nasray.experiment import search
from nasray.views.summary import print_dry_run, print_result

CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}
SD_DARTS = {
    "method": "sd_darts",
    "epochs": 1,
    "batch_size": 32,
    "self_distillation": None,
    "measure": {"num_images": 16, "calibration_images": 32},
}
IN_PROCESS = {"in_process": True}
TRAINING = {"epochs": 1, "batch_size": 64}


def mlflow_runs(folder):
    client = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("nasray")
    return client, client.search_runs([experiment.experiment_id])


@pytest.fixture(scope="module")
def finished(comparison_in, tmp_path_factory, ray_of_two):
    """The folder of a finished comparison, its result and what was printed meanwhile."""
    folder = tmp_path_factory.mktemp("compared")
    console = Console(file=io.StringIO(), width=120)
    return folder, search(comparison_in(folder, {"resources": {}}), console=console), console


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_are_judged_by_the_same_networks(finished):
    place, result, console = finished
    run = analysis.load_run(result.folder)
    assert result.folder == place / "runs" / "compared"
    pd.testing.assert_frame_equal(run.comparison, result.comparison)
    columns = ["dna_seed_0", "sd_darts_seed_0", "parameters", "MACs", "depth then MACs", "random_seed_0"]
    assert run.comparison["column"].tolist() == columns
    networks = run.comparison_networks
    assert networks[columns].notna().all(axis=None)
    assert (networks["group"] == "sample").sum() == 4
    assert (networks["num_params"] <= 2500).all()
    dna, sd_darts = run.parts
    assert run.comparison["architecture"][0] == dna.ranking["architecture"][0]
    assert sd_darts.found is not None
    accuracies = networks.set_index("architecture")["accuracy"]
    assert run.comparison["accuracy"].tolist() == accuracies[run.comparison["architecture"]].tolist()
    gain = run.comparison["accuracy"][1] - run.comparison["accuracy"][0]
    assert run.comparison["gain"].tolist()[:2] == [0, pytest.approx(gain)]
    assert (run.comparison["cpu_seconds"][:2] > 0).all()
    assert run.num_architectures == result.num_architectures == 54
    print_result(result, console)
    told = console.file.getvalue()
    assert "sd_darts_seed_0" in told
    assert "orders the sampled ones best" in told
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert 'href="dna_seed_0/report.html"' in page


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_searches_share_one_schedule(finished):
    """Tune knows of one experiment for the searches and one for the trainings, not one for each search."""
    result = finished[1]
    assert list((result.folder / "tune").glob("*"))
    assert not list(result.folder.glob("*_seed_0/tune/*"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_another_launch_runs_nothing_again(finished, comparison_in):
    place, result, _ = finished
    again = search(comparison_in(place))
    assert again.num_units_run == 0
    pd.testing.assert_frame_equal(again.comparison, result.comparison)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_search_has_runs_in_mlflow_and_the_comparison_one_for_all(finished):
    _, runs = mlflow_runs(finished[0])
    (whole,) = [run for run in runs if "dna_kendall_tau" in run.data.metrics]
    assert whole.data.tags["study"] == "compared"
    assert {"dna_accuracy", "sd_darts_gain", "MACs_accuracy"} <= whole.data.metrics.keys()
    units = {
        arm: {run.data.tags["unit"].split("/")[0] for run in runs if run.data.tags.get("arm") == arm}
        for arm in ("dna", "sd_darts")
    }
    assert units == {"dna": {"teacher", "block_0", "block_1", "result"}, "sd_darts": {"sd_darts", "result"}}
    assert all(run.info.status == "FINISHED" for run in runs)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_commands_want_one_search(finished, capsys):
    assert main(["rank", str(finished[1].folder)]) == 2
    assert "RUN must be one search" in capsys.readouterr().err


@pytest.mark.timeout(600)
def test_a_comparison_may_change_and_keeps_what_ended_well(tiny, tmp_path):
    """An arm that diverges leaves the others' table; a further arm costs what is new, a lost file itself."""

    def config(**arms):
        plain = {"searches": [SD_DARTS], "search_space": CELLS, "name": "cells", "resources": IN_PROCESS}
        judge = {"seed": None, "train": TRAINING}
        whole = tiny(**plain, comparison={"seeds": [0], "arms": arms, "judge": judge})
        return {key: value for key, value in whole.items() if key not in ("teacher", "features")}

    folder = tmp_path / "runs" / "cells"
    hot = {"searches.0.lr": 1e30, "searches.0.gradient_clip": None}
    with pytest.raises(SearchFailedError, match=r"hot_seed_0/sd_darts: .*must stay finite"):
        search(config(hot=hot))
    assert not (folder / "comparison.parquet").exists()
    with pytest.raises(SearchFailedError, match="1 of 2 units failed"):
        search(config(hot=hot, plain={}))
    (kept,) = pd.read_parquet(folder / "comparison.parquet").to_dict("records")
    assert (kept["arm"], pd.isna(kept["gain"])) == ("plain", True), "the first arm has failed"
    taught = {"searches.0.self_distillation": {"start_epoch": 0, "unit": "step"}}
    result = search(config(plain={}, taught=taught))
    assert result.num_units_run == 2, "a search and a training are new"
    table = result.comparison.set_index("arm")
    assert table.index.tolist() == ["plain", "taught"]
    assert table["accuracy"]["plain"] == kept["accuracy"]
    assert table["gain"].tolist() == [0, pytest.approx(table["accuracy"]["taught"] - kept["accuracy"])]
    assert table[["num_skips", "alpha_eigenvalue", "seconds"]].notna().all(axis=None)
    _, runs = mlflow_runs(tmp_path)
    searched = [run for run in runs if run.data.tags["kind"] == "sd_darts"]
    assert {run.data.tags["arm"]: run.info.status for run in searched} == {
        "hot": "FAILED",
        "plain": "FINISHED",
        "taught": "FINISHED",
    }
    next(folder.rglob("retrained.json")).unlink()
    repaired = search(config(plain={}, taught=taught))
    assert repaired.num_units_run == 1
    pd.testing.assert_frame_equal(repaired.comparison, result.comparison)


def test_stages_are_refused(comparison_in, tmp_path):
    with pytest.raises(ValueError, match="stages must be left out for a comparison"):
        search(comparison_in(tmp_path), stages=["teacher"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search_space": {"source": "nasbench201"}}, r"judge\.sample must be 0 in nasbench201"),
        ({"budgets": {"num_params": 5}}, "budgets.num_params must be at least"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_runs(comparison_in, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        search(comparison_in(tmp_path, changes))
    assert not (tmp_path / "runs" / "compared" / "config.yaml").exists()


def test_a_dry_run_tells_all_searches_and_what_follows(comparison_in, tmp_path, capsys):
    print_dry_run(comparison_in(tmp_path, seeds=[0, 1]), [], Console(width=200))
    told = capsys.readouterr().out
    for arm in ("dna", "sd_darts"):
        assert told.count(f"{arm}_seed_0: 54 architectures") == 1
        assert f"{arm}_seed_1" not in told, "with further seeds it is the same"
    assert "4 searches in all: 2 arms with the seeds 0, 1; then 4 networks that are drawn" in told
    assert not (tmp_path / "runs").exists()
