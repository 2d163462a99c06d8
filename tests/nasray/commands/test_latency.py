import json
import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.runs.rank import rank_run
from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.tables.sums import sum_columns
from nasray.cli import main
from nasray.commands.latency import measure_latency
from nasray.experiment import search
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.run.stored_ranking import rank_again
from nasray.settings.loading import load_config
from nasray.trainables.latency.meter import LatencySettings
from nasray.trainables.latency.steps import all_steps

QUICK = LatencySettings(num_repeats=4, num_networks=6)


@pytest.fixture(scope="module")
def make_run(leave_ratings):
    """Makes a run's folder with made-up ratings; latencies need no trained weights."""

    def make(config):
        config = load_config(config)
        folder = RunFolder.of(config)
        inputs = unit_inputs(config, folder)
        space = inputs.space
        rng = np.random.default_rng(0)
        folder.claim(config, inputs, {})
        leave_ratings(folder.path, space, lambda table: rng.uniform(0.2, 0.8, (len(table), 1)))
        return folder, space

    return make


@pytest.fixture(scope="module")
def measured(tiny_in, tmp_path_factory, make_run):
    folder, space = make_run(tiny_in(tmp_path_factory.mktemp("latency")))
    before = {path: path.read_bytes() for path in folder.ratings.rglob("*.parquet")}
    figures = measure_latency(folder.path, QUICK)
    assert {path: path.read_bytes() for path in folder.ratings.rglob("*.parquet")} == before
    return folder, space, figures


def test_the_figures_say_what_was_measured_and_how_well(measured):
    folder, space, figures = measured
    assert json.loads((folder.path / "latency" / "latency.json").read_text()) == figures
    assert (figures["device"], figures["clock"], figures["batch_size"]) == ("cpu", "thread_time", 1)
    assert figures["num_steps"] == len(all_steps(space))
    assert figures["additivity"]["num_fitted"] == figures["additivity"]["num_held_out"] == 3
    assert 0.5 < figures["scale"] < 2
    for errors in (*(figures["additivity"][name] for name in ("before", "after")), figures["noise"]):
        assert 0 <= errors["median_relative_error"] <= errors["p95_relative_error"] < 3


def test_every_candidate_has_its_latency(measured):
    folder, _, _ = measured
    tables = load_ratings(folder.path)
    assert all((table["latency_ms"] > 0).all() for table in tables)
    # A longer cell contains what a shorter one of its width has, and more: here mb3k3 behind mb3k3.
    first = tables[0].set_index("candidate")["latency_ms"]
    assert first["2x8:mb3k3,mb3k3"] > first["2x8:mb3k3,skip"]


def test_rankings_keep_a_budget_of_latency_exactly(measured):
    folder, _, _ = measured
    everything = top_architectures(load_ratings(folder.path), {}, 54)
    limit = float(everything["latency_ms"].median())
    within = rank_run(folder.path, {"latency_ms": limit}, 54, num_resamples=0)
    expected = everything[everything["latency_ms"] <= limit]
    assert within["architecture"].tolist() == expected["architecture"].tolist()
    assert within.attrs["certificate"]["proved"]
    best = within.iloc[0]
    sums = sum_columns(best["architecture"], load_ratings(folder.path), ["latency_ms"])
    assert best["latency_ms"] == pytest.approx(sums["latency_ms"])


def test_the_command_measures_and_ranks(measured, tiny, capsys, make_run):
    folder, _ = make_run(tiny())
    run = str(folder.path)
    assert main(["rank", run, "--max-latency-ms", "5"]) == 2
    assert "needs latencies" in capsys.readouterr().err
    assert main(["latency", run, "--repeats", "4"]) == 0
    told = capsys.readouterr().out
    assert "Sums over the blocks against 20 whole networks" in told
    assert "networks measured twice" in told
    csv = folder.path / "r.csv"
    limit = top_architectures(load_ratings(folder.path), {}, 54)["latency_ms"].median()
    assert main(["rank", run, "--max-latency-ms", str(limit), "--output", str(csv)]) == 0
    assert " ms " in capsys.readouterr().out
    assert pd.read_csv(csv)["latency_ms"].max() <= limit


def test_a_new_measurement_replaces_the_old_one_and_makes_the_ranking_anew(tiny, make_run):
    folder, _ = make_run(tiny())
    config = load_config(tiny())
    assert "latency_ms" not in rank_again(config, folder)
    measure_latency(folder.path, QUICK)
    first = rank_again(config, folder)
    assert rank_again(config, folder)["latency_ms"].equals(first["latency_ms"])
    measure_latency(folder.path, QUICK)
    assert not rank_again(config, folder)["latency_ms"].equals(first["latency_ms"])


def test_an_interrupted_measurement_leaves_the_old_one(measured):
    folder, _, _ = measured
    before = [table["latency_ms"].tolist() for table in load_ratings(folder.path)]

    def interrupt(number, frame):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            measure_latency(folder.path, LatencySettings(num_repeats=100_000))
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert [table["latency_ms"].tolist() for table in load_ratings(folder.path)] == before


def test_a_search_with_a_budget_says_what_to_do_before_it_trains(tiny):
    config = tiny(budgets={"latency_ms": 1.0})
    with pytest.raises(
        ValueError,
        match=r"budgets\.latency_ms needs a measurement.*--stages ratings.*`nasray latency .*tiny`",
    ):
        search(config)
    assert not RunFolder.of(load_config(config)).path.exists()


def test_where_nothing_can_be_measured_it_is_said(tiny, tmp_path, capsys, make_run):
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        measure_latency(tmp_path, QUICK)
    folder, _ = make_run(tiny())
    assert main(["latency", str(folder.path), "--device", "cuda"]) == 2
    assert "sees no GPU: use --device cpu" in capsys.readouterr().err
    assert main(["latency", str(folder.path), "--batch", "0"]) == 2
    assert "batch_size must be at least 1, got 0" in capsys.readouterr().err
