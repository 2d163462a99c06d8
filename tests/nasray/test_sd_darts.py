import io
import json
import threading
import time

import pandas as pd
import psutil
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray.analysis.tables.ratings import load_ratings
from nasray.experiment import search
from nasray.search_spaces.cells.genotype import Genotype
from nasray.settings.loading import load_config
from nasray.tracking.tracker import tracking_uri
from nasray.views.summary import print_dry_run, print_result

pytestmark = pytest.mark.timeout(600)

NOT_COMPARED = {"seconds", "samples_per_second", "data_wait_share", "resident_bytes"}
CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}
SD_DARTS = {
    "method": "sd_darts",
    "epochs": 3,
    "batch_size": 32,
    "self_distillation": {"start_epoch": 1, "num_snapshots": 2},
    "measure": {"every_epochs": 3, "num_images": 16, "calibration_images": 32},
}


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def cells(tiny):
    """An SD-DARTS search of a space of cells, with neither a teacher nor a DNA search."""

    def build(settings=SD_DARTS, **changes):
        own = {"searches": [settings], "search_space": CELLS}
        return {
            key: value for key, value in tiny(**own | changes).items() if key not in ("teacher", "features")
        }

    return build


def printed(result):
    text = io.StringIO()
    print_result(result, Console(width=200, highlight=False, file=text))
    return text.getvalue()


def mlflow_runs(plain):
    config = load_config(plain)
    client = MlflowClient(tracking_uri(config))
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    return client, {run.data.tags["unit"]: run for run in client.search_runs([experiment.experiment_id])}


def history(folder):
    done = json.loads((folder / "done.json").read_text())
    return [{key: value for key, value in one.items() if key not in NOT_COMPARED} for one in done["history"]]


def test_what_is_found_stands_in_the_ranking_of_all(tiny):
    plain = tiny(budgets={"num_params": 2700})
    plain["searches"].append(SD_DARTS)
    result = search(plain)
    found = pd.read_parquet(result.folder / "found.parquet").iloc[0]
    pd.testing.assert_series_equal(found, result.found.iloc[0], check_dtype=False)
    tables, score, params, width = load_ratings(result.folder), 0.0, 0, 1
    for candidate, table in zip(found["architecture"].split("/"), tables, strict=True):
        ((_, row),) = table[(table["candidate"] == candidate) & (table["in_channels"] == width)].iterrows()
        score, params, width = score + row["rating"], params + row["num_params"], row["out_channels"]
    assert (found["score"], found["num_params"]) == (score, params)
    everything = result.ranking["score"]
    assert 0 < len(everything) < 54  # of 54 architectures, those within the budget
    assert int(found["num_better"]) == int(found["num_better_at_most"]) == (everything < score).sum()
    assert found["within_budgets"] == (params <= 2700)
    text = printed(result)
    assert f"sd_darts found {found['architecture']} ({params:,} params" in text
    assert (
        f"{found['num_better']} of the {len(everything)} architectures within the budgets are better" in text
    )
    _, runs = mlflow_runs(plain)
    assert {"teacher", "block_0/2x8", "sd_darts"} <= runs.keys()
    (main,) = [run for run in runs.values() if run.data.tags["kind"] == "result"]
    assert main.data.tags["method"] == "dna+sd_darts"
    again = search(plain)
    assert again.num_units_run == 0
    pd.testing.assert_frame_equal(again.found, result.found)


def test_a_space_of_cells_is_searched_without_a_teacher(cells):
    result = search(cells())
    assert (result.ranking, result.comparison, result.num_units_run) == (None, None, 1)
    assert result.num_architectures == 15625
    found = result.found.iloc[0]
    assert str(Genotype.parse(found["architecture"])) == found["architecture"]
    assert "score" not in result.found
    assert found["architecture"] in printed(result)
    assert not (result.folder / "teacher").exists()
    client, runs = mlflow_runs(cells())
    assert len(runs) == 2
    run = runs["sd_darts"]
    assert (run.data.tags["method"], run.data.tags["kind"], run.info.status) == (
        "sd_darts",
        "sd_darts",
        "FINISHED",
    )
    assert run.data.params["space"] == "nasbench201"
    assert run.data.params["self_distillation.num_snapshots"] == "2"
    curve = client.get_metric_history(run.info.run_id, "num_skips")
    assert [metric.step for metric in curve] == [1, 2, 3]
    assert {
        "alpha_eigenvalue",
        "discretization_gap",
        "distillation_gradient_ratio",
    } <= run.data.metrics.keys()
    (main,) = [run for run in runs.values() if run.data.tags["kind"] == "result"]
    files = {file.path for file in client.list_artifacts(main.info.run_id)}
    assert {"config.yaml", "environment.json", "found.parquet"} <= files


class Killer(threading.Thread):
    """Sends SIGKILL to this test's trial as soon as it has two epochs behind it, and once more later on."""

    def __init__(self, unit):
        super().__init__(daemon=True)
        self._unit, self.killed = unit, []

    def run(self):
        for stamp in ("epoch_2", "epoch_5"):
            while not list(self._unit.glob(f"last.parts/{stamp}.pt")):
                time.sleep(0.01)
            # Between two reports the process is called otherwise for a moment.
            while not (trials := self._trials()):
                time.sleep(0.01)
            for process in trials:
                process.kill()
                self.killed.append(process.pid)

    def _trials(self):
        return list(filter(self._is_trial, psutil.Process().children(recursive=True)))

    @staticmethod
    def _is_trial(process):
        try:
            return "ImplicitFunc.train" in str(process.cmdline())
        except psutil.NoSuchProcess:
            return False


def test_a_killed_search_finds_the_same(ray_of_two, cells, tmp_path):
    settings = {**SD_DARTS, "epochs": 8, "measure": {**SD_DARTS["measure"], "every_epochs": 2}}
    settings["self_distillation"] = {"start_epoch": 1, "mode": "forward"}
    killer = Killer(tmp_path / "disturbed" / "tiny" / "units" / "sd_darts")
    units = []
    for name in ("undisturbed", "disturbed"):
        if name == "disturbed":
            killer.start()
        result = search(cells(settings, storage={"root": str(tmp_path / name)}, resources={}))
        units.append(result.folder / "units" / "sd_darts")
    assert len(killer.killed) == 2
    assert len(history(units[0])) == 8
    assert history(units[0]) == history(units[1])
    assert (units[0] / "found.json").read_bytes() == (units[1] / "found.json").read_bytes()
    assert not list(tmp_path.rglob("last.p*"))


def test_a_dry_run_tells_the_units(cells, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(cells()))
    console = Console(width=200, highlight=False, record=True)
    print_dry_run(str(path), [], console)
    text = console.export_text()
    assert "tiny: 15,625 architectures, nasbench201 space" in text
    assert "1 of 1 units to run, 1 CPU each:" in text
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "stages", "message"),
    [
        (
            {"data": {"source": "digits", "num_train_images": 62, "num_held_out_images": 9}},
            None,
            "batch of 32 each, got 31",
        ),
        (
            {
                "settings": {
                    **SD_DARTS,
                    "self_distillation": {"unit": "step", "every": 1000, "start_epoch": 0},
                }
            },
            None,
            r"every must be less than the \d+ steps of the search, got 1000",
        ),
        ({}, ["ratings"], "stages must be of sd_darts, got ratings"),
        ({"search_space": {**CELLS, "channels": 0}}, None, r"search_space\.channels: .*got 0"),
        ({"search_space": {"source": "nasbench21"}}, None, "did you mean 'nasbench201'"),
    ],
)
def test_mistakes_are_told_before_anything_runs(cells, tmp_path, changes, stages, message):
    with pytest.raises(ValueError, match=message):
        search(cells(**changes), stages=stages)
    assert not list(tmp_path.rglob("done.json"))


def test_a_teacher_cannot_be_cut_to_cells(tiny):
    with pytest.raises(
        ValueError, match=r"search_space must be one of blocks in a row.*search it by sd_darts alone"
    ):
        search(tiny(search_space=CELLS))
