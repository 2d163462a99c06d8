"""A search in generations, from the first teacher to the report of all."""

import io
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray import analysis
from nasray.cli import main
from nasray.commands.additivity import measure_additivity
from nasray.commands.refine import refine
from nasray.experiment import search
from nasray.run.folder import RunFolder
from nasray.run.parts import leave_parts
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.settings.loading import load_config
from nasray.views.summary import print_dry_run, print_result

pytestmark = pytest.mark.timeout(900)

RESULTS = ("generations.parquet", "generation_1/ranking.parquet", "generation_2/ranking.parquet")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


@pytest.fixture(scope="module")
def finished(plus_in, tmp_path_factory):
    """The folder of a search of one generation, then continued to two, with what the second launch gave and printed."""
    folder = tmp_path_factory.mktemp("plus")
    first = search(plus_in(folder, generations=1))
    assert first.tables["generations"]["generation"].tolist() == [1]
    assert first.num_units_run > 0
    console = Console(file=io.StringIO(), width=120)
    return folder, search(plus_in(folder), console=console), console


@pytest.mark.slow
def test_what_one_generation_finds_teaches_the_next(finished):
    place, result, _ = finished
    first, second = [analysis.load_run(result.folder / f"generation_{number}") for number in (1, 2)]
    taught = second.config["teacher"]
    assert taught["architecture"] == first.ranking["architecture"][0]
    assert taught["scaling"]["power"] == 2
    assert second.teacher["num_params"] == result.tables["generations"]["teacher_num_params"][1]
    assert result.folder == place / "runs" / "plus"


@pytest.mark.slow
def test_the_table_tells_what_each_gave_and_what_changed(finished):
    _, result, _ = finished
    run = analysis.load_run(result.folder)
    first, second = run.parts
    pd.testing.assert_frame_equal(run.generations, result.tables["generations"])
    row = run.generations.iloc[1]
    figures = second.agreement_figures["predictors"]["score"]["kendall_tau"]
    assert (row["kendall_tau"], row["kendall_tau_low"]) == (figures["value"], figures["low"])
    assert row["test_accuracy"] == second.agreement["accuracy"][0]
    assert -1 <= row["ranking_tau"] <= 1
    best = set(first.ranking["architecture"][:10]) & set(second.ranking["architecture"][:10])
    assert row["num_shared"] == len(best)
    assert run.generations_figures["ended_by"] == "margin"
    assert run.num_architectures == 54
    assert "What changed in the ranking" in (result.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_result_is_the_best_generations(finished):
    _, result, console = finished
    run = analysis.load_run(result.folder)
    best = run.parts[run.generations_figures["best_generation"] - 1]
    pd.testing.assert_frame_equal(result.ranking, best.ranking, check_like=True)
    print_result(result, console)
    told = console.file.getvalue()
    assert "Generation 2 of 2 at most" in told
    assert "The best of 2 generations" in told


@pytest.mark.slow
def test_runs_are_tagged_with_their_generation(finished):
    place, _, _ = finished
    runs = _tracked(place)
    tags = [run.data.tags.get("generation") for run in runs]
    assert {tags.count(number) for number in ("1", "2")} == {
        1 + 3 + 4 + 1
    }  # teacher, cells, networks, result
    wholes = [run for run in runs if run.data.tags["study"] == "plus"]
    assert sorted(run.data.metrics["num_generations"] for run in wholes) == [1, 2]


def _tracked(folder):
    client = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("nasray")
    assert experiment.artifact_location == f"file://{folder}/runs/mlflow-artifacts"
    return client.search_runs([experiment.experiment_id])


@pytest.mark.slow
def test_another_launch_runs_nothing_again(finished, plus_in):
    place, result, _ = finished
    before = contents(result.folder)
    again = search(plus_in(place))
    assert again.num_units_run == 0
    assert contents(again.folder) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"budgets": {"num_params": 2000.0}},
            r"budgets must be \{\}, as in the generations .* got \{'num_params",
        ),
        ({"ranking": {"by": "swap_in"}}, r"ranking\.by must be score"),
        ({"seed": 1}, "belongs to another config"),
    ],
)
def test_generations_that_others_would_have_taught_are_kept(finished, plus_in, changes, message):
    place, result, _ = finished
    before = contents(result.folder)
    with pytest.raises(ValueError, match=message):
        search(plus_in(place) | changes)
    assert contents(result.folder) == before


@pytest.mark.slow
def test_a_killed_search_goes_on_to_the_same_bytes(finished, plus, tmp_path):
    config = plus()
    (tmp_path / "plus.yaml").write_text(yaml.safe_dump(config))
    place = str(tmp_path / "plus.yaml")
    code = f"from nasray.experiment import search; search({place!r}, ['resources={{address: local}}'])"
    done = tmp_path / "runs" / "plus" / "generation_2" / "teacher" / "done.json"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as driver:
        while driver.poll() is None and not done.exists():
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
    assert not (tmp_path / "runs" / "plus" / "generation_2" / "ranking.parquet").exists()
    resumed = search(config)
    assert resumed.num_units_run < 15  # the second generation's, less what was done
    assert contents(resumed.folder) == contents(finished[1].folder)


def test_stages_are_refused(plus):
    with pytest.raises(ValueError, match="stages must be left out for a search of the method dna_plus"):
        search(plus(), stages=["teacher"])


def test_what_cannot_teach_is_refused_before_anything_runs(plus, tmp_path):
    config = plus()
    config["search_space"] = config["search_space"] | {"operations": {"narrow": "narrow_operation:narrow"}}
    config["search_space"]["blocks"] = [
        {"stride": 2, "operations": ["mb3k3", "narrow"], "cells": [{"depth": 1, "width": 12}]},
        config["search_space"]["blocks"][1],
    ]
    (tmp_path / "narrow_operation.py").write_text(NARROW)
    before = os.getcwd()  # noqa: PTH109
    os.chdir(tmp_path)
    try:
        with pytest.raises(ValueError, match="too wide"):
            search(config)
    finally:
        os.chdir(before)
        sys.path.remove(str(tmp_path))
    assert not (tmp_path / "runs" / "plus" / "config.yaml").exists()


NARROW = """
from torch import nn

def narrow(in_channels, out_channels, stride):
    if out_channels > 12:
        raise ValueError(f"too wide: {out_channels}")
    return nn.Conv2d(in_channels, out_channels, 9, stride, padding=4)
"""


def test_a_dry_run_tells_the_first_generations_units_and_what_follows(plus, capsys):
    print_dry_run(plus(), [], Console(width=200))
    told = capsys.readouterr().out
    assert "block_1/2x16" in told
    assert "One more generation follows" in told


def test_commands_want_one_generation(tmp_path, capsys):
    leave_parts(RunFiles(tmp_path), ["generation_1", "generation_2"])
    for command in (["rank"], ["export"], ["refine"]):
        assert main([*command, str(tmp_path)]) == 2
        assert "RUN must be one search" in capsys.readouterr().err


def test_functions_want_one_generation_too(plus, tmp_path):
    folder = RunFolder.of(load_config(plus()))
    leave_parts(folder, ["generation_1", "generation_2"])
    for command in (refine, measure_additivity):
        with pytest.raises(ValueError, match="RUN must be one search"):
            command(folder.path)
