import hashlib
import json
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from nasray.errors import SearchFailedError
from nasray.experiment import search

pytestmark = pytest.mark.timeout(600)


def content(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_from_the_config_to_the_ranking(finished):
    result = finished
    num_architectures = (2 * 2 + 2) * 3 * 3
    assert result.num_architectures == len(result.ranking) == num_architectures
    assert result.ranking["score"].is_monotonic_increasing
    assert result.ranking.attrs["certificate"]["proved"]
    assert result.ranking["share_better"].iloc[0] == 0
    assert result.ranking["share_better"].iloc[-1] == pytest.approx(1 - 1 / num_architectures)
    for name in ("config.yaml", "environment.json", "teacher/weights.safetensors", "teacher/teacher.json"):
        assert (result.folder / name).is_file()
    tables = sorted(
        path.relative_to(result.folder / "ratings") for path in result.folder.rglob("ratings/*/*.parquet")
    )
    assert list(map(str, tables)) == ["block_0/1x12.parquet", "block_0/2x8.parquet", "block_1/2x16.parquet"]
    written = pd.read_parquet(result.folder / "ranking.parquet")
    pd.testing.assert_frame_equal(written, result.ranking)
    environment = json.loads((result.folder / "environment.json").read_text())
    assert environment["packages"]["torch"]


def test_a_second_launch_runs_nothing_again(finished, tiny_finished, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    again = search(tiny_finished())
    assert again.num_units_run == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == before
    pd.testing.assert_frame_equal(finished.ranking, again.ranking)


def test_a_lost_result_is_made_again_and_nothing_else(tiny_finished, tmp_path):
    table = tmp_path / "runs" / "tiny" / "ratings" / "block_1" / "2x16.parquet"
    before = content(table)
    table.unlink()
    again = search(tiny_finished())
    assert again.num_units_run == 1
    assert content(table) == before


def test_what_no_node_could_train_for_the_evidence_is_told_before_anything_runs(tiny_on_ray):
    config = tiny_on_ray(retrain={"top": 1, "sample": 3}, resources={"gpus_by_kind": {"retrain": 1}})
    with pytest.raises(ValueError, match=r"retrain/.* takes 1 CPU, 1 GPU, the nodes have"):
        search(config)
    folder = Path(config["storage"]["root"]) / config["name"]
    assert not list(folder.rglob("done.json"))


def test_stages_run_by_themselves(tiny):
    teacher = search(tiny(), stages=["teacher"])
    assert (teacher.num_units_run, teacher.ranking) == (1, None)
    features = search(tiny(), stages=["features"])
    assert features.num_units_run == 3 + 1 + 1 + 1  # shards and manifests of both splits
    assert search(tiny(), stages=["ratings"]).num_units_run == 3
    ranking = search(tiny(), stages=["ranking"])
    assert ranking.num_units_run == 0
    assert len(ranking.ranking) == 54


@pytest.mark.parametrize("number", [1, 2])
def test_one_or_two_at_a_time_give_the_same_bytes_as_one_process(finished, tiny_on_ray, number):
    scheduled = search(tiny_on_ray(resources={"max_concurrent": number}))
    assert content(scheduled.folder / "ranking.parquet") == content(finished.folder / "ranking.parquet")


class Killer(threading.Thread):
    """Sends SIGKILL to a trial's process as soon as a cell has a checkpoint and is not done."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self._run, self.killed = run, []

    def run(self):
        while not self.killed:
            if any(self._run.glob("units/block_*/*/last.pt")):
                for process in list(filter(is_trial, psutil.Process().children(recursive=True)))[:1]:
                    process.kill()
                    self.killed.append(process.pid)
            time.sleep(0.01)


def is_trial(process):
    try:
        return "ImplicitFunc.train" in str(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def test_a_killed_trial_leaves_no_trace_in_the_ranking(tiny_on_ray, tmp_path):
    """A trial whose process is killed goes on from its last epoch, and the ranking is the same, byte for byte."""
    rankings = []
    killer = Killer(tmp_path / "disturbed" / "tiny")
    for name in ("undisturbed", "disturbed"):
        plain = tiny_on_ray(storage={"root": str(tmp_path / name)})
        plain["searches"][0]["epochs"] = 15
        if name == "disturbed":
            killer.start()
        rankings.append(search(plain).folder / "ranking.parquet")
    assert killer.killed
    assert content(rankings[0]) == content(rankings[1])


def test_a_large_cell_is_rated_in_parts_with_the_same_result(finished, tiny):
    plain = tiny()
    plain["searches"][0]["rating"]["max_candidates_per_unit"] = 5
    parts = search(plain)
    assert parts.num_units_run > finished.num_units_run
    tables = [pd.read_parquet(run.folder / "ratings/block_1/2x16.parquet") for run in (parts, finished)]
    pd.testing.assert_frame_equal(*tables)
    pd.testing.assert_frame_equal(parts.ranking, finished.ranking)


def test_online_features_give_the_ranking_of_cached_ones(finished, tiny):
    online = search(tiny(features={"mode": "online"}))
    scores = [result.ranking.set_index("architecture")["score"] for result in (finished, online)]
    pd.testing.assert_series_equal(scores[0].sort_index(), scores[1].sort_index(), rtol=1e-3)


def test_a_diverging_block_fails_with_its_reason_and_keeps_the_rest(tiny, tmp_path):
    plain = tiny()
    plain["searches"][0]["lr"] = [1e30, 0.005]
    with pytest.raises(SearchFailedError, match=r"block_0/2x8: train_loss must stay finite"):
        search(plain)
    assert (tmp_path / "runs" / "tiny" / "ratings" / "block_1" / "2x16.parquet").exists()


def test_another_config_does_not_touch_the_run(tiny):
    folder = search(tiny(), stages=["teacher"]).folder
    before = {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    }
    with pytest.raises(ValueError, match=r"belongs to another config.*\n.*seed: 0 -> 1"):
        search(tiny(seed=1))
    assert {path: path.read_bytes() for path in before} == before


def test_more_than_a_node_has_is_an_error_at_the_start(tiny_on_ray):
    with pytest.raises(ValueError, match=r"teacher takes 64 CPU, the nodes have 2 CPU: lower"):
        search(tiny_on_ray(compute={"num_threads": 64}))


def test_budgets_that_cannot_be_met_are_named(tiny):
    with pytest.raises(
        ValueError, match=r"budgets\.num_params must be at least [0-9]+, the smallest of all, got 10"
    ):
        search(tiny(budgets={"num_params": 10}))


def test_shapes_that_do_not_fit_are_named(tiny):
    with pytest.raises(ValueError, match=r"block 0 of the space puts out 4x4, but .* at cut 0 are 8x8: move"):
        search(tiny(teacher={"source": "largest", "cuts": ["blocks.0.0", "blocks.1"]}))


def test_a_cut_that_does_not_exist_is_named(tiny):
    with pytest.raises(ValueError, match=r"got 'blocks\.7'"):
        search(tiny(teacher={"source": "largest", "cuts": ["blocks.0", "blocks.7"]}))
