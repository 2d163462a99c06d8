import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.runs.rank import (
    certificate,
    is_same_order,
    rank_run,
    ranked_tables,
    ranking_inputs,
    read_budgets,
    read_criterion,
    write_ranking,
)
from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.tables.sums import sum_columns
from nasray.analysis.trust.calibration import calibrate
from nasray.cli import main
from nasray.run.folder import RunFolder
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.chain.mbconv import digits
from nasray.settings.loading import load_config


@pytest.fixture
def run(tmp_path, leave_ratings):
    """A run's folder with made-up ratings of the digits' space."""
    rng = np.random.default_rng(0)
    leave_ratings(
        tmp_path,
        digits((1, 8, 8), 10),
        lambda table: rng.uniform(0.2, 0.8, (len(table), 4)),
        lambda table: rng.uniform(0.1, 0.9, (len(table), 4)),
    )
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


def test_a_written_ranking_says_what_it_ranks_by(run, tmp_path):
    assert (
        main(["rank", str(run), "--max-params", "60e3", "--top", "5", "--output", str(tmp_path / "r.csv")])
        == 0
    )
    told = json.loads((tmp_path / "r.csv.json").read_text())
    assert told["proved"]
    assert told["inputs"]["by"] == "score"
    assert told["inputs"]["budgets"] == {"num_params": 60_000}
    assert len(pd.read_csv(tmp_path / "r.csv")) == 5


def test_another_kind_of_file_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match=r"a \.parquet or a \.csv file, got .*ranking\.xlsx"):
        write_ranking(rank_run(run, {}, 10), tmp_path / "ranking.xlsx")


@pytest.mark.parametrize("content", ["{}", "[]", '"x"', "null", "{"])
def test_a_search_ranks_anew_where_the_certificate_is_damaged(content, run):
    config, folder = load_config("digits", ["ranking.top=5", "ranking.num_resamples=0"]), RunFolder(run)
    first = rank_again(config, folder)
    (run / "ranking.json").write_text(content)
    again = rank_again(config, folder)
    assert list(again["architecture"]) == list(first["architecture"])
    assert json.loads((run / "ranking.json").read_text())["proved"]


def test_a_search_believes_no_bit_of_a_certificate_that_has_changed(run):
    config, folder = load_config("digits", ["ranking.top=5", "ranking.num_resamples=0"]), RunFolder(run)
    rank_again(config, folder)
    whole = folder.certificate.read_bytes()
    places = [whole.index(text) for text in (b'"lower"', b'"gap"', b'"num_feasible"', b"true")]
    digits = [whole.index(b'"lower": "') + len(b'"lower": "'), whole.index(b'"lower_bound": ') + 16]
    for place in [*(place + 1 for place in places), *digits]:
        changed = bytearray(whole)
        changed[place] ^= 1
        folder.certificate.write_bytes(changed)
        rank_again(config, folder)
        assert folder.certificate.read_bytes() == whole, changed[place - 5 : place + 20]


def test_the_certificate_is_strict_json_whatever_is_proved(run):
    ranking = rank_run(run, {}, 10)
    told = json.loads(json.dumps(certificate(ranking, ranking_inputs(run, {}, 10, 100)), allow_nan=False))
    assert told["proved"]
    assert told["num_feasible"]["lower"] == "23868"
    ranking.attrs["certificate"] |= {"proved": False, "gap": float("inf")}
    assert json.loads(json.dumps(certificate(ranking, {}), allow_nan=False))["gap"] is None


@pytest.fixture
def fail(leave_ratings):
    """Leaves ratings in a run's folder of which the candidates of block 1 with `mb6k3` have none."""
    rng = np.random.default_rng(0)

    def rate(table):
        failed = table["operations"].str.contains("mb6k3") & (table["in_channels"] == 16)
        return np.where(failed, np.nan, rng.uniform(0.2, 0.8, len(table)))[:, np.newaxis]

    return lambda run: leave_ratings(run, digits((1, 8, 8), 10), rate)


@pytest.mark.parametrize("budgets", [{}, {"num_params": 60_000}, {"num_params": 40_000, "num_macs": 6e5}])
def test_what_is_left_out_is_counted_and_told(run, fail, budgets, capsys):
    everything = rank_run(run, budgets, 30_000, num_resamples=0)
    assert everything.attrs["num_left_out"] == {"lower": 0, "upper": 0}
    fail(run)
    ranking = rank_run(run, budgets, 30_000, num_resamples=0)
    number = len(everything) - len(ranking)
    assert number > 0
    assert ranking.attrs["num_feasible"] == {"lower": len(ranking), "upper": len(ranking)}
    assert ranking.attrs["num_left_out"] == {"lower": number, "upper": number}
    (unrated,) = ranking.attrs["unrated"]
    # Of 12 candidates with two layers 6 have it, of 27 with three 19.
    assert (unrated["block"], unrated["operations"], unrated["num_candidates"]) == (1, ["mb6k3"], 25)
    told = json.loads(json.dumps(certificate(ranking, {}), allow_nan=False))
    assert told["num_left_out"] == {"lower": str(number), "upper": str(number)}
    assert told["unrated"] == ranking.attrs["unrated"]
    given = [f"--max-{name.removeprefix('num_')}={limit}" for name, limit in budgets.items()]
    (run / "config.yaml").write_text("{}")
    assert main(["rank", str(run), "--resamples", "0", *given]) == 0
    assert (
        f"no other of the {len(ranking):,} rated architectures within the budgets is better than those listed; "
        f"{number:,} more are not ranked, since these candidates have no rating: 25 of the 39 in block 1, each with "
        "`mb6k3` (it failed).\n"
    ) in capsys.readouterr().out


def test_a_stored_ranking_says_the_same_and_one_that_does_not_is_made_anew(run, fail):
    fail(run)
    config, folder = load_config("digits", ["ranking.top=5", "ranking.num_resamples=0"]), RunFolder(run)
    first, again = rank_again(config, folder), rank_again(config, folder)
    assert first.attrs == again.attrs
    whole = folder.certificate.read_bytes()
    earlier = json.loads(whole)
    for name in ("num_left_out", "unrated", "sha256"):
        del earlier[name]
    earlier["sha256"] = hashlib.sha256(json.dumps(earlier, sort_keys=True).encode()).hexdigest()
    folder.certificate.write_text(json.dumps(earlier))
    folder.agreement.touch()
    assert rank_again(config, folder).attrs == first.attrs
    assert folder.certificate.read_bytes() == whole
    assert folder.agreement.exists(), "the order is the same"


def test_inputs_change_with_the_tables(run):
    before = ranking_inputs(run, {}, 10, 100)
    assert ranking_inputs(run, {}, 10, 100) == before
    path = run / "ratings" / "block_0" / "2x16.parquet"
    table = rating_table.read(path)
    table["rating"] *= 2
    table["rating_batches"] = table["rating_batches"].map(lambda values: 2 * values)
    rating_table.write(table, path)
    assert ranking_inputs(run, {}, 10, 100) != before
    assert not is_same_order(before, ranking_inputs(run, {}, 10, 100))


def test_the_order_depends_on_latencies_only_under_a_budget_of_them(run):
    before = [ranking_inputs(run, budgets, 10, 100) for budgets in ({}, {"latency_ms": 1.0})]
    (run / "latency" / "block_0").mkdir(parents=True)
    (run / "latency" / "block_0" / "2x16.parquet").write_bytes(b"anything")
    after = [ranking_inputs(run, budgets, 20, 0) for budgets in ({}, {"latency_ms": 1.0})]
    assert before[0] != after[0]
    assert is_same_order(before[0], after[0])
    assert not is_same_order(before[1], after[1])
    assert not is_same_order(before[0], ranking_inputs(run, {"num_macs": 1e6}, 10, 100))
    assert not is_same_order(before[0], ranking_inputs(run, {}, 10, 100, "swap_in"))


def test_an_unfinished_run_is_not_ranked(run):
    (run / "ratings" / "block_2" / "3x40.parquet").unlink()
    with pytest.raises(ValueError, match=r"1 of 6 are missing, the first ratings/block_2/3x40\.parquet"):
        rank_run(run, {}, 10)


def test_budgets_come_from_the_runs_config(run, tmp_path):
    assert read_budgets(run) == {"num_params": 60_000.0}
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        read_budgets(tmp_path / "nowhere")


def test_by_swap_in_the_order_is_that_of_the_second_rating(run):
    everything = rank_run(run, {}, 23_868, num_resamples=0, by="swap_in")
    tables = load_ratings(run)
    for place in (0, 1, 5_000, 23_867):
        row = everything.iloc[place]
        assert row["score"] == pytest.approx(sum_columns(row["architecture"], tables, ["swap_in"])["swap_in"])
    assert everything["score"].is_monotonic_increasing
    assert everything.attrs["by"] == "swap_in"
    assert everything.attrs["certificate"]["proved"]
    assert ranking_inputs(run, {}, 10, 100, "swap_in") != ranking_inputs(run, {}, 10, 100)


@pytest.fixture
def trained(run):
    """Made-up accuracies of 40 networks, for which the last block hardly counts."""
    tables = load_ratings(run)
    names = rank_run(run, {}, 23_868, num_resamples=0)["architecture"].iloc[::600]
    weighted = [
        table.assign(weighted=w * table["rating"]) for w, table in zip((2.0, 0.9, 0.1), tables, strict=True)
    ]
    accuracies = [0.9 - 0.1 * sum_columns(name, weighted, ["weighted"])["weighted"] for name in names]
    return pd.DataFrame({"architecture": names.to_numpy(), "accuracy": accuracies})


def test_by_calibrated_the_ranking_is_exact_where_that_helps(run, trained):
    figures = calibrate(trained, load_ratings(run)).figures
    (run / "calibration.json").write_text(json.dumps(figures))
    ranking = rank_run(run, {"num_params": 60_000}, 50, num_resamples=10, by="calibrated")
    assert ranking.attrs["certificate"]["proved"]
    assert ranking["top_probability"].between(0, 1).all()
    tables = ranked_tables(run, "calibrated")
    scores = [sum_columns(name, tables, ["rating"])["rating"] for name in ranking["architecture"]]
    assert list(ranking["score"]) == pytest.approx(scores)
    assert list(ranking["architecture"]) != list(rank_run(run, {"num_params": 60_000}, 50)["architecture"])


def test_calibrated_without_a_use_is_refused(run, trained):
    with pytest.raises(
        ValueError, match=r"at least 12 trained networks .* has no calibration\.json: raise retrain\.sample"
    ):
        rank_run(run, {}, 10, by="calibrated")
    shuffled = trained.assign(accuracy=np.random.default_rng(0).permutation(trained["accuracy"]))
    (run / "calibration.json").write_text(json.dumps(calibrate(shuffled, load_ratings(run)).figures))
    with pytest.raises(ValueError, match=r"with 40 networks Kendall's τ is .* rank by score"):
        rank_run(run, {}, 10, by="calibrated")
    for content in ("{", "{}", "[]"):
        (run / "calibration.json").write_text(content)
        with pytest.raises(ValueError, match=r"calibration\.json must be a whole file"):
            rank_run(run, {}, 10, by="calibrated")


def test_the_criterion_comes_from_the_runs_config(run):
    assert read_criterion(run) == "score"
    (run / "config.yaml").write_text("ranking: {by: swap_in}\n")
    assert read_criterion(run) == "swap_in"
