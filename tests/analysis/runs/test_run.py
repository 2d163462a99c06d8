import doctest
import json
import shutil

import pandas as pd
import pytest

from nasray import analysis
from nasray.analysis.counting.counting import Count
from nasray.analysis.report import write_report
from nasray.analysis.runs.comparison import compare_runs
from nasray.analysis.runs.histories import unit_kind
from nasray.analysis.runs.run import load_run
from nasray.planning.plan import plan_search, rating_tables
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.artefacts import rating_table
from nasray.settings.loading import load_config
from nasray.trainables.units import run_unit

SPACE = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 8}],
    "blocks": [
        {
            "stride": 2,
            "operations": ["skip", "mb3k3"],
            "cells": [{"depth": 2, "width": 8}, {"depth": 1, "width": 12}],
        },
        {"stride": 2, "operations": ["skip", "sep3", "mb3k3"], "cells": [{"depth": 2, "width": 16}]},
    ],
}
CONFIG = {
    "name": "digits",
    "data": {"source": "digits", "num_train_images": 256, "num_held_out_images": 64},
    "teacher": {
        "source": "largest",
        "train": {"epochs": 2, "batch_size": 64, "optimizer": "adamw", "lr": 0.01},
    },
    "search_space": SPACE,
    "searches": [
        {
            "method": "dna",
            "epochs": 3,
            "batch_size": 64,
            "rating": {"num_batches": 4, "calibration_images": 64, "calibration_batch_size": 32},
        }
    ],
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a finished search in `runs/digits`, whose units ran here, one after the other."""
    root = tmp_path_factory.mktemp("workplace")
    requested = load_config({**CONFIG, "storage": {"root": str(root / "runs")}})
    folder = RunFolder.of(requested)
    resolved, inputs = resolve(requested, folder)
    plan = plan_search(resolved, folder, inputs)
    folder.claim(resolved, inputs, rating_tables(resolved, folder, inputs))
    folder.record_environment(resolved.seed)
    for stage in plan.values():
        for unit in stage:
            list(run_unit(unit.spec))
    rank_again(resolved, folder)
    return root


@pytest.fixture
def run(workplace):
    return load_run(workplace / "runs" / "digits")


def test_the_example_of_the_package_runs(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    results = doctest.testmod(analysis)
    assert results.attempted > 8
    assert results.failed == 0


def test_a_run_is_frames(run):
    assert run.name == "digits"
    assert run.environment["seed"] == 0
    assert 0 <= run.teacher["held_out_accuracy"] <= 1
    assert run.ranking["rank"].tolist() == list(range(1, run.num_architectures + 1))
    assert int(run.certificate["num_feasible"]["lower"]) == run.num_architectures
    assert len(run.ratings) == sum(map(len, run.tables))
    assert run.ratings["block"].is_monotonic_increasing
    assert run.ratings.columns[0] == "block"


def test_curves_hold_every_number_of_every_epoch(run):
    history = json.loads((run.path / "units" / "block_0" / "2x8" / "done.json").read_text())["history"]
    own = run.curves[run.curves["unit"] == "block_0/2x8"]
    assert set(own["kind"]) == {"block"}
    losses = own[own["metric"] == "train_loss"]
    assert losses["epoch"].tolist() == [1, 2, 3]
    assert losses["value"].tolist() == [metrics["train_loss"] for metrics in history]


def test_a_figure_without_an_epoch_stands_at_the_last(run):
    last = run.curves[run.curves["kind"] == "teacher"].iloc[-1]
    assert (last["metric"], last["epoch"]) == ("held_out_accuracy", 2)


def test_times_are_sums_over_epochs(run):
    times = run.times.set_index("unit")
    own = run.curves[(run.curves["unit"] == "teacher") & (run.curves["metric"] == "seconds")]
    assert times.loc["teacher", "seconds"] == pytest.approx(own["value"].sum())
    assert times.loc["teacher", "num_epochs"] == 2
    assert times["seconds"].isna().sum() == (times["kind"] == "features").sum()


def test_what_is_not_there_is_none(run, tmp_path):
    assert (run.agreement, run.agreement_figures, run.comparison, run.found, run.retrained) == (None,) * 5
    (tmp_path / "config.yaml").write_text((run.path / "config.yaml").read_text())
    bare = load_run(tmp_path)
    parts = ("environment", "teacher", "ranking", "certificate", "tables", "ratings", "num_architectures")
    assert [getattr(bare, name) for name in (*parts, "curves", "times")] == [None] * 9
    assert bare.parts == []


FILES = {
    "agreement.json": "agreement_figures",
    "calibration.json": "calibration",
    "ranking.json": "certificate",
    "generations.json": "generations_figures",
    "environment.json": "environment",
    "additivity.json": "additivity_figures",
}


@pytest.mark.parametrize("file", FILES)
def test_files_of_another_shape_are_named(run, tmp_path, file):
    (tmp_path / "config.yaml").write_text((run.path / "config.yaml").read_text())
    for content in ("[]", '"text"', "{", "{}", "null"):
        (tmp_path / file).write_text(content)
        if (content, file) in (
            ("{}", "environment.json"),
            ("{}", "additivity.json"),
            ("null", "agreement.json"),
        ):
            assert not getattr(load_run(tmp_path), FILES[file])
            continue
        with pytest.raises(ValueError, match=f"{file} must be a whole file"):
            getattr(load_run(tmp_path), FILES[file])


def test_unfinished_ratings_make_no_tables(run, tmp_path):
    folder = tmp_path / "ratings" / "block_0"
    folder.mkdir(parents=True)
    (tmp_path / "config.yaml").write_text((run.path / "config.yaml").read_text())
    (tmp_path / "ratings" / "tables.json").write_text((run.path / "ratings" / "tables.json").read_text())
    (folder / "2x8.parquet").write_bytes((run.path / "ratings" / "block_0" / "2x8.parquet").read_bytes())
    begun = load_run(tmp_path)
    assert begun.tables is None
    assert set(begun.ratings["cell"]) == {"2x8"}


def test_a_table_that_lacks_a_row_makes_no_report(run, tmp_path):
    for name in ("config.yaml", "ranking.json", "ranking.parquet"):
        shutil.copy(run.path / name, tmp_path)
    shutil.copytree(run.path / "ratings", tmp_path / "ratings")
    path = tmp_path / "ratings" / "block_0" / "2x8.parquet"
    rating_table.write(rating_table.read(path)[1:], path)
    with pytest.raises(
        ValueError, match=r"block_0/2x8\.parquet must have 4 rows of ratings of its cell, got 3"
    ):
        write_report(tmp_path)


def test_what_an_earlier_version_left_out_is_counted_from_the_tables(run, tmp_path):
    for name in ("config.yaml", "ranking.parquet"):
        shutil.copy(run.path / name, tmp_path)
    shutil.copytree(run.path / "ratings", tmp_path / "ratings")
    path = tmp_path / "ratings" / "block_0" / "2x8.parquet"
    frame = rating_table.read(path)
    frame.loc[0, ["rating", "swap_in", "failure"]] = [None, None, "non-finite output"]
    frame.loc[[0], ["rating_batches", "rating_seeds", "swap_in_batches"]] = None
    rating_table.write(frame, path)
    earlier = {
        name: value for name, value in run.certificate.items() if name not in ("num_left_out", "unrated")
    }
    (tmp_path / "ranking.json").write_text(json.dumps(earlier))
    covered = load_run(tmp_path).coverage
    # Of six candidates of block 0 one has no rating, and block 1 has nine.
    assert (covered.ranked, covered.left_out) == (Count(45, 45), Count(9, 9))
    assert run.coverage.is_whole
    assert load_run(tmp_path).num_architectures == run.num_architectures == 54
    assert "no other of the 45 rated architectures" in write_report(tmp_path).read_text()


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"must be the folder of a run, with a config\.yaml; .* has none"):
        load_run(tmp_path)
    with pytest.raises(ValueError, match="one run or more"):
        compare_runs([])


def test_kinds_of_units():
    names = ["teacher", "features/train/0", "block_1/2x8", "block_1/2x8/rating/3", "sd_darts/s2/k3/seed_0"]
    assert [unit_kind(name) for name in names] == ["teacher", "features", "block", "rating", "sd_darts"]


def test_runs_are_compared(run, workplace, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.yaml").write_text((run.path / "config.yaml").read_text())
    table = compare_runs([run.path, bare])
    assert table["best_score"].iloc[0] == run.ranking["score"].iloc[0]
    assert table["num_architectures"].tolist() == [run.num_architectures, None]
    assert isinstance(table["num_architectures"].iloc[0], int)
    assert pd.isna(table["best_score"].iloc[1])


def test_a_real_run_has_its_report(run, tmp_path):
    page = write_report(run.path, tmp_path / "report.html").read_text()
    assert run.ranking["architecture"].iloc[0] in page.replace("<wbr>", "")
    assert f"no other of the {run.num_architectures:,} architectures" in page
