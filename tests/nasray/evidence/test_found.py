import json

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.runs.rank import rank_run
from nasray.evidence.found import found_architectures, sentence
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config


@pytest.fixture
def run(tiny, leave_ratings):
    """A run with random ratings of all candidates, and something found by SD-DARTS."""

    def build(architecture, *, failed=(), **changes):
        searches = [*tiny()["searches"], {"method": "sd_darts"}]
        config = load_config(tiny(**{"searches": searches} | changes))
        folder = RunFolder.of(config)
        space = unit_inputs(config, folder).space
        rng = np.random.default_rng(0)

        def rate(table):
            ratings = rng.choice([0.1, 0.2, 0.3, 1 / 3], len(table))
            return np.where(table["candidate"].isin(failed), np.nan, ratings)[:, np.newaxis]

        leave_ratings(folder.path, space, rate)
        unit = folder.unit("sd_darts")
        unit.mkdir(parents=True, exist_ok=True)
        cost = space.cost(architecture).counts
        found = {
            "architecture": architecture,
            "epoch": 2,
            **{name: cost[name] for name in ("num_params", "num_macs")},
        }
        (unit / "found.json").write_text(json.dumps({**found, "weights": {}}))
        return config, folder, found

    return build


def test_its_place_is_the_one_in_the_ranking(run):
    for architecture in ("2x8:skip,mb3k3/2x16:skip,skip", "1x12:skip/2x16:mb3k3,sep3"):
        config, folder, found = run(architecture)
        row = found_architectures(config, folder, ranked=True).iloc[0]
        ranking = rank_run(folder.path, {}, 54)
        ranked = ranking.set_index("architecture").loc[architecture]
        assert row["score"] == ranked["score"]
        assert (
            int(row["num_better"])
            == int(row["num_better_at_most"])
            == (ranking["score"] < row["score"]).sum()
        )
        assert row["within_budgets"]
        assert (row["num_params"], row["num_macs"]) == (found["num_params"], found["num_macs"])
        assert (ranked["num_params"], ranked["num_macs"]) == (found["num_params"], found["num_macs"])
        assert (row["search"], row["epoch"]) == ("sd_darts", 2)


def test_one_beyond_the_budgets_is_compared_with_those_within(run):
    architecture = "2x8:mb3k3,mb3k3/2x16:mb3k3,mb3k3"
    _, _, found = run(architecture)
    config, folder, _ = run(architecture, budgets={"num_params": found["num_params"] - 1})
    frame = found_architectures(config, folder, ranked=True)
    ranking = rank_run(folder.path, config.budgets, 54)
    assert len(ranking) < 54
    assert not frame["within_budgets"].iloc[0]
    assert int(frame["num_better"].iloc[0]) == (ranking["score"] < frame["score"].iloc[0]).sum()
    text = sentence(frame.iloc[0], Coverage.read(ranking.attrs))
    assert text.endswith("are better, among which it does not count, since it exceeds them.")


def test_without_a_rating_it_has_no_place(run, tmp_path):
    config, folder, _ = run("1x12:skip/2x16:skip,skip", failed=["1x12:skip"])
    frame = found_architectures(config, folder, ranked=True)
    assert frame[["score", "num_better", "within_budgets"]].isna().all(axis=None)
    covered = Coverage.read(rank_run(folder.path, {}, 1).attrs)
    assert sentence(frame.iloc[0], covered).endswith("One of its candidates has no rating.")
    frame.to_parquet(tmp_path / "found.parquet")
    again = pd.read_parquet(tmp_path / "found.parquet")
    assert sentence(again.iloc[0], covered) == sentence(frame.iloc[0], covered)


def test_the_sentence_says_what_is_left_out_of_its_place(run):
    config, folder, _ = run("2x8:mb3k3,mb3k3/2x16:mb3k3,mb3k3", failed=["1x12:skip"])
    frame = found_architectures(config, folder, ranked=True)
    # Of six candidates of block 0 one has no rating, and block 1 has nine.
    assert sentence(frame.iloc[0], Coverage.read(rank_run(folder.path, {}, 1).attrs)).endswith(
        f" {frame['num_better'].iloc[0]} of the 45 rated architectures within the budgets are better; 9 more are not "
        "ranked."
    )


def test_without_a_ranking_only_its_cost_is_told(run):
    config, folder, found = run("1x12:skip/2x16:skip,skip")
    frame = found_architectures(config, folder, ranked=False)
    assert list(frame.columns) == ["search", "architecture", "epoch", "num_params", "num_macs"]
    assert sentence(frame.iloc[0], None) == (
        f"sd_darts found 1x12:skip/2x16:skip,skip ({found['num_params']:,} params, {found['num_macs']:,} MACs)."
    )


def test_the_sentence_tells_exact_and_bounded_places():
    row = pd.Series(
        {
            "search": "sd_darts",
            "architecture": "a",
            "num_params": 1000,
            "num_macs": 2000,
            "score": 0.25,
            "num_better": "1234",
            "num_better_at_most": "1234",
            "within_budgets": True,
        }
    )
    covered = Coverage(Count(10**5, 10**5), Count(0, 0), ())
    assert sentence(row, covered) == (
        "sd_darts found a (1,000 params, 2,000 MACs). Its score is 0.2500: 1,234 of the 100,000 architectures "
        "within the budgets are better."
    )
    row["num_better_at_most"] = "1300"
    assert "0.2500: between 1,234 and 1,300 of the 100,000" in sentence(row, covered)
