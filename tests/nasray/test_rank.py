import json

import numpy as np
import pandas as pd
import pytest

from nasray.rank import certificate, rank_run, ranking_inputs, read_budgets, write_ranking
from search_spaces import rating_table
from search_spaces.mbconv import digits


@pytest.fixture
def run(tmp_path):
    """A run's folder with made-up ratings of the digits' space."""
    space = digits((1, 8, 8), 10)
    rng = np.random.default_rng(0)
    for block in range(3):
        table = space.candidate_table(block)
        batches = rng.uniform(0.2, 0.8, (len(table), 4))
        table["rating"] = batches.mean(axis=1)
        table["rating_batches"] = list(batches)
        table["failure"] = None
        for cell, rows in table.groupby("cell"):
            rating_table.write(rows, tmp_path / "ratings" / f"block_{block}" / f"{cell}.parquet")
    tables = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet"))
    (tmp_path / "ratings" / "tables.json").write_text(json.dumps(tables))
    (tmp_path / "config.yaml").write_text("budgets: {num_params: 60000.0}\n")
    return tmp_path


def test_the_share_of_better_ones_is_exact_in_a_small_space(run):
    ranking = rank_run(run, {}, 23_868)
    assert len(ranking) == 23_868
    assert ranking.attrs["num_feasible"] == {"lower": 23_868, "upper": 23_868}
    better = [(ranking["score"] < score).mean() for score in ranking["score"].iloc[[0, 1, 500, 20_000]]]
    assert ranking["share_better"].iloc[[0, 1, 500, 20_000]].tolist() == pytest.approx(better)


def test_budgets_hold_and_count_the_feasible(run):
    everything = rank_run(run, {}, 30_000)
    within = rank_run(run, {"num_params": 60_000, "num_macs": 8e5}, 30_000)
    expected = everything[(everything["num_params"] <= 60_000) & (everything["num_macs"] <= 8e5)]
    assert within["architecture"].tolist() == expected["architecture"].tolist()
    assert within.attrs["num_feasible"]["lower"] == len(expected)


@pytest.mark.parametrize("name", ["ranking.csv", "ranking.parquet"])
def test_a_ranking_is_written_whole(run, tmp_path, name):
    ranking = rank_run(run, {}, 10)
    write_ranking(ranking, tmp_path / name)
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    pd.testing.assert_frame_equal(read(tmp_path / name), ranking, check_dtype=False)


def test_another_kind_of_file_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match=r"a \.parquet or a \.csv file, got .*ranking\.xlsx"):
        write_ranking(rank_run(run, {}, 10), tmp_path / "ranking.xlsx")


def test_the_certificate_is_strict_json_whatever_is_proved(run):
    ranking = rank_run(run, {}, 10)
    told = json.loads(json.dumps(certificate(ranking, ranking_inputs(run, {}, 10, 100)), allow_nan=False))
    assert told["proved"]
    assert told["num_feasible"]["lower"] == "23868"
    ranking.attrs["certificate"] |= {"proved": False, "gap": float("inf")}
    assert json.loads(json.dumps(certificate(ranking, {}), allow_nan=False))["gap"] is None


def test_inputs_change_with_the_tables(run):
    before = ranking_inputs(run, {}, 10, 100)
    assert ranking_inputs(run, {}, 10, 100) == before
    path = run / "ratings" / "block_0" / "2x16.parquet"
    table = rating_table.read(path)
    table["rating"] *= 2
    rating_table.write(table, path)
    assert ranking_inputs(run, {}, 10, 100) != before


def test_an_unfinished_run_is_not_ranked(run):
    (run / "ratings" / "block_2" / "3x40.parquet").unlink()
    with pytest.raises(ValueError, match=r"1 of 6 are missing, the first ratings/block_2/3x40\.parquet"):
        rank_run(run, {}, 10)


def test_budgets_come_from_the_runs_config(run, tmp_path):
    assert read_budgets(run) == {"num_params": 60_000.0}
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        read_budgets(tmp_path / "nowhere")
