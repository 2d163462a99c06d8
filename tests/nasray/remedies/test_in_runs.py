"""What messages about a run advise: done as they say, the message does not come again."""

import re
import shlex
import shutil

import pytest
import torch

from nasray.analysis.runs.run import load_run
from nasray.cli import main
from nasray.experiment import search
from nasray.search_spaces.artefacts import rating_table

ARCHITECTURE = "1x8:skip/1x8:conv1"
TRAIN = {"epochs": 1, "batch_size": 32, "optimizer": "adamw", "lr": 0.01}
CONFIG = {
    "name": "small",
    "data": {"source": "digits", "num_train_images": 64, "num_held_out_images": 32, "num_test_images": 16},
    "teacher": {"source": "largest", "train": TRAIN},
    "search_space": {
        "source": "declared",
        "blocks": [
            {"stride": 2, "operations": ["skip", "conv3"], "cells": [{"depth": 1, "width": 8}]},
            {"stride": 2, "operations": ["conv1", "conv3"], "cells": [{"depth": 1, "width": 8}]},
        ],
    },
    "features": {"mode": "online"},
    "searches": [
        {
            "method": "dna",
            "epochs": 1,
            "batch_size": 32,
            "rating": {"num_batches": 2, "calibration_images": 16, "swap_in_images": 0},
        }
    ],
    "retrain": None,
    "resources": {"in_process": True},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("finished")
    search(CONFIG | {"storage": {"root": str(root)}})
    return root / "small"


@pytest.fixture
def run(finished, tmp_path):
    """A finished run without evidence, in a folder of the test's own, whose path has a space and an apostrophe."""
    folder = tmp_path / "it's mine" / "small"
    shutil.copytree(finished, folder)
    shutil.copy(finished.parent / "mlflow.db", folder.parent)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace(str(finished.parent), str(folder.parent)))
    return folder


@pytest.fixture
def nasray(run, capsys):
    """A function: what a command on the run says of a mistake, empty where it does what it is to do."""

    def nasray(command, *arguments):
        place = run / "config.yaml" if command == "search" else run
        code = main([command, str(place), *arguments])
        told = capsys.readouterr().err
        assert (code == 0) == (not told), told
        return told

    return nasray


def follow(told, **filled):
    """Run the first command that a message gives; `filled` stands for its words in capitals."""
    command = re.search(r"`nasray ([^`]*)`", told)[1]
    for word, text in filled.items():
        command = command.replace(word, shlex.quote(text))
    assert main(shlex.split(command)) == 0


def test_a_network_that_is_not_trained_is_trained_and_exported(nasray):
    """Also where the run says of no training how it is made."""
    told = nasray("export", "--architecture", ARCHITECTURE)
    arguments = shlex.split(re.search(r"`nasray retrain ([^`]*)`", told)[1])[1:]
    refused = nasray("retrain", *arguments)
    assert "add retrain.train.epochs=20, say" in refused
    assert not nasray("retrain", *arguments, "retrain.train.epochs=2")
    assert not nasray("export", "--architecture", ARCHITECTURE)
    assert "the output must not be there yet" in nasray("export", "--architecture", ARCHITECTURE)


def test_which_networks_make_the_evidence_is_said_to_a_search(nasray):
    change = ["retrain={top: 0, sample: 0, train: {epochs: 1, batch_size: 32}}", "retrain.stitched=false"]
    assert "change it by `nasray search`" in nasray("retrain", "--architecture", ARCHITECTURE, *change)
    assert not nasray("search", *change)
    assert not nasray("retrain", "--architecture", ARCHITECTURE)


def test_a_teachers_epochs_are_kept_by_a_search(nasray):
    change = "retrain.distillation.multi_step=true"
    given = ["--architecture", ARCHITECTURE, change, "retrain.train.epochs=1"]
    told = nasray("retrain", *given)
    assert f"run `nasray search` with the run's own config and {change} first" in told
    assert not nasray("search", "retrain={top: 0, sample: 0, train: {epochs: 1, batch_size: 32}}", change)
    assert not nasray("retrain", "--architecture", ARCHITECTURE, change)


def test_what_a_run_was_not_rated_by_is_searched_under_another_name(nasray, run):
    told = nasray("rank", "--by", "swap_in")
    advised = "search under a name of its own (name=...) with searches.0.rating.swap_in_images above 0"
    assert f"rank by score, or {advised}" in told
    assert not nasray("rank", "--by", "score")
    change = "searches.0.rating.swap_in_images=8"
    assert "belongs to another config; search under a name of its own (name=...) or undo" in nasray(
        "search", change
    )
    assert not nasray("search", change, "name=swapped")
    assert main(["rank", str(run.with_name("swapped")), "--by", "swap_in"]) == 0


@pytest.mark.parametrize("content", [None, b"no table"])
def test_a_table_of_ratings_is_made_anew_by_the_search(nasray, run, content):
    (table,) = (run / "ratings" / "block_0").glob("*.parquet")
    table.unlink() if content is None else table.write_bytes(content)
    expected = (
        "finish the search with the command that" if content is None else "remove it and run the search again"
    )
    assert expected in nasray("rank")
    table.unlink(missing_ok=True)
    assert not nasray("search")
    assert not nasray("rank")


def test_a_latency_is_measured_by_the_command_that_is_told(nasray, run):
    told = nasray("rank", "--max-latency-ms", "1s")
    follow(told)
    assert not nasray("rank", "--max-latency-ms", "1s")
    (table,) = (run / "latency" / "block_0").glob("*.parquet")
    table.write_bytes(b"no table")
    told = nasray("rank", "--max-latency-ms", "1s")
    assert f"or remove {run / 'latency'}" in told
    follow(told)
    assert not nasray("rank", "--max-latency-ms", "1s")


def test_a_search_within_a_budget_of_latency_waits_for_a_measurement(nasray):
    told = nasray("search", "budgets.latency_ms=1000")
    assert "search with --stages ratings, measure by `nasray latency" in told
    assert not nasray("search", "budgets.latency_ms=1000", "--stages", "ratings")
    follow(told)
    assert not nasray("search", "budgets.latency_ms=1000")


def test_cells_are_trained_anew_by_the_search(nasray, run):
    next((run / "units" / "block_0").glob("*/supernet.safetensors")).unlink()
    told = nasray("additivity")
    assert "finish the search with the command that started it" in told
    assert not nasray("search")
    assert not nasray("additivity")


@pytest.mark.parametrize("damage", [None, "{"])
def test_a_run_that_does_not_tell_its_origins_is_searched_under_another_name(nasray, run, damage):
    origins = run / "origins.json"
    origins.unlink() if damage is None else origins.write_text(damage)
    for command, *arguments in (
        ["search"],
        ["retrain", "--architecture", ARCHITECTURE, "retrain.train.epochs=1"],
    ):
        assert "search under a name of its own (name=...)" in nasray(command, *arguments)
    assert not nasray("search", "name=other", "--dry-run")


def test_damaged_figures_are_made_anew_by_what_is_told(nasray, run):
    assert not nasray("additivity")
    (run / "additivity.json").write_text("{")
    with pytest.raises(ValueError, match="remove it and run `nasray additivity` again"):
        _ = load_run(run).additivity_figures
    (run / "additivity.json").unlink()
    assert not nasray("additivity")
    assert load_run(run).additivity_figures is not None


def test_a_longer_time_finds_one(nasray):
    assert "raise it" in nasray("rank", "--time-limit", "1e-9")
    assert not nasray("rank", "--time-limit", "60")


def test_what_a_strangers_run_names_is_trusted_by_the_digest_that_is_told(run, capsys):
    (run.parent / "operations.py").write_text(
        "from torch import nn\n\n\ndef make(*_):\n    return nn.Identity()\n"
    )
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("operations: {}", "operations: {mine: 'operations:make'}"))
    assert main(["additivity", str(run)]) == 2
    told = capsys.readouterr().err
    digest = re.search(r"give --trust (\S+)", told)[1]
    main(["additivity", str(run), "--trust", digest])
    assert "--trust" not in capsys.readouterr().err


def test_tables_of_an_old_search_are_none_of_a_ranking_by_calibration(nasray):
    assert "raise retrain.sample and search again, or rank by score" in nasray("rank", "--by", "calibrated")
    assert not nasray("rank", "--by", "score")


def test_a_table_without_some_rows_is_removed_and_made_anew(nasray, run):
    (path,) = (run / "ratings" / "block_0").glob("*.parquet")
    rating_table.write(rating_table.read(path).iloc[:1], path)
    assert "remove the file and run the search again with the command that started it" in nasray("rank")
    path.unlink()
    assert not nasray("search")
    assert not nasray("rank")


def test_a_latency_without_a_gpu_is_measured_on_the_cpu(nasray, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "use --device cpu" in nasray("latency", "--device", "cuda")
    assert not nasray("latency", "--device", "cpu")
