"""What a new cost and a new rating take: an entry of a table, and what counts or measures it."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nasray.analysis.report import write_report
from nasray.analysis.runs.rank import is_same_order, rank_run, ranking_inputs
from nasray.analysis.tables.sums import sum_columns
from nasray.analysis.trust.agreement import agreement
from nasray.analysis.trust.verdict import sentence
from nasray.cli import main
from nasray.errors import UserError
from nasray.inputs.shared import unit_inputs
from nasray.planning.resolve import check_budgets, check_measured
from nasray.run.folder import RunFolder
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.costs import COSTS, CostKind, Measurement
from nasray.search_spaces.artefacts.criteria import CRITERIA, Criterion, Rating
from nasray.search_spaces.artefacts.measured_tables import write_measured
from nasray.settings.loading import load_config

ACTIVATIONS = """
from torch import nn


def activations(module, run):
    found = []
    layers = [part for part in module.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(lambda *args: found.append(args[2].numel())) for layer in layers]
    run()
    for handle in handles:
        handle.remove()
    return sum(found)
"""


@pytest.fixture
def activations(tmp_path, monkeypatch):
    """A counted cost: one entry and one function."""
    (tmp_path / "counted_activations.py").write_text(ACTIVATIONS)
    monkeypatch.syspath_prepend(tmp_path)
    entry = CostKind(
        "num_activations",
        unit="values that layers put out",
        noun="activations",
        heading="activations",
        short="acts",
        counter="counted_activations:activations",
        example="2k",
    )
    monkeypatch.setitem(COSTS, entry.name, entry)
    return entry


@pytest.fixture
def energy(monkeypatch):
    """A measured cost: one entry."""
    entry = CostKind(
        "energy_mj",
        unit="millijoules",
        noun="millijoules",
        heading="energy mJ",
        short="mJ",
        whole=False,
        measurement=Measurement("energy", "energy", "energy.json", ("meter",), "energy", "energies"),
    )
    monkeypatch.setitem(COSTS, entry.name, entry)
    return entry


@pytest.fixture
def make_run(tiny, leave_ratings):
    """Makes a run's folder with made-up ratings, of 54 architectures."""

    def make():
        config = load_config(tiny(ranking={"num_resamples": 0}))
        folder = RunFolder.of(config)
        inputs = unit_inputs(config, folder)
        rng = np.random.default_rng(0)
        folder.claim(config, inputs, {})
        leave_ratings(folder.path, inputs.space, lambda table: rng.uniform(0.2, 0.8, (len(table), 3)))
        return config, folder, inputs.space

    return make


def assert_kept_proved_and_shown(config, folder, cost, limit, capsys):
    """Hold a budget of a cost to what listing all architectures gives, and see it printed and on the report page."""
    every = rank_run(folder.path, {}, 1000, num_resamples=0)
    within = every[every[cost.name] <= limit]
    assert 0 < len(within) < len(every)
    ranking = rank_run(folder.path, {cost.name: limit}, 1000, num_resamples=0)
    assert ranking["architecture"].tolist() == within["architecture"].tolist()
    assert ranking.attrs["certificate"]["proved"]
    assert cost.name in ranking.attrs["certificate"]["multipliers"]
    assert main(["rank", str(folder.path), cost.flag, str(limit), "--resamples", "0"]) == 0
    assert f" {cost.short} " in capsys.readouterr().out.splitlines()[1]
    rank_again(config, folder)
    assert f">{cost.heading}<" in write_report(folder.path).read_text()
    return every


def test_a_counted_cost_is_an_entry_and_a_function(activations, make_run, capsys):
    config, folder, space = make_run()
    every = assert_kept_proved_and_shown(config, folder, activations, 3000, capsys)
    network, found = space.build(every["architecture"][0]).eval(), []
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_forward_hook(lambda *args: found.append(args[2].numel()))
    network(torch.zeros(1, *space.input_shape))
    assert every[activations.name][0] == sum(found)
    page = (folder.path / "report.html").read_text()
    assert page.count(">activations<") > 1  # above a column, and at the axis of a front
    check_budgets({activations.name: 3000}, space)
    with pytest.raises(
        UserError, match=r"budgets.num_activations must be at least \d+, the smallest of all, got 1"
    ):
        check_budgets({activations.name: 1}, space)


def test_tables_of_before_a_counted_cost_are_read(make_run, request):
    _, folder, _ = make_run()
    request.getfixturevalue("activations")
    ranking = rank_run(folder.path, {}, 10, num_resamples=0)
    assert "num_activations" not in ranking
    with pytest.raises(UserError, match="num_activations must be finite"):
        rank_run(folder.path, {"num_activations": 3000}, 10)


def test_a_measured_cost_is_an_entry_and_what_measures_it(energy, make_run, capsys):
    config, folder, space = make_run()
    limited = load_config(config.model_dump(mode="json") | {"budgets": {energy.name: 4.0}})
    with pytest.raises(UserError, match=r"budgets.energy_mj needs a measurement.*measure by `nasray energy"):
        check_measured(limited, folder)
    with pytest.raises(
        UserError, match=r"needs energies, .* has none: measure them first, by `nasray energy"
    ):
        rank_run(folder.path, {energy.name: 4.0}, 10)
    before = ranking_inputs(folder.path, {energy.name: 4.0}, 10, 0)
    rng = np.random.default_rng(1)
    tables = [table.assign(energy_mj=rng.uniform(1, 3, len(table))) for table in space.candidate_tables()]
    write_measured(folder.path, energy, tables, {"meter": "made up"})
    assert_kept_proved_and_shown(config, folder, energy, 4.0, capsys)
    check_measured(limited, folder)
    after = ranking_inputs(folder.path, {energy.name: 4.0}, 10, 0)
    assert sorted(after["energies"]) == [
        "energy/block_0/1x12.parquet",
        "energy/block_0/2x8.parquet",
        "energy/block_1/2x16.parquet",
    ]
    assert not is_same_order(before, after)
    check_budgets({energy.name: 0.5}, space)  # of what is yet to be measured nothing is known


def test_a_measured_cost_of_some_candidates_alone_is_refused(energy, make_run):
    _, folder, space = make_run()
    tables = [table.assign(energy_mj=1.0)[1:] for table in space.candidate_tables()]
    write_measured(folder.path, energy, tables, {"meter": "made up"})
    told = r"energy/block_0 must hold the energy of every candidate, it lacks 1 of 6.*`nasray energy"
    with pytest.raises(UserError, match=told):
        rank_run(folder.path, {}, 10)


@pytest.fixture
def smoothness(monkeypatch):
    """A further rating: one entry."""
    entry = Criterion(
        "smoothness",
        "smoothness_score",
        noun="smoothness score",
        axis="smoothness score (lower is better)",
        help="of their smoothness",
        rating=Rating("smoothness", "smoothness_batches", "for smoothness", "rating.num_batches"),
    )
    monkeypatch.setitem(CRITERIA, entry.name, entry)
    return entry


@pytest.fixture
def smooth_run(smoothness, make_run):
    """A run whose tables hold this rating, too."""
    _, folder, _ = make_run()
    rng = np.random.default_rng(2)
    for path in folder.ratings.rglob("*.parquet"):
        table = rating_table.read(path)
        batches = rng.uniform(0, 1, (len(table), 3))
        table = table.assign(smoothness=batches.mean(axis=1), smoothness_batches=list(batches))
        rating_table.write(table, path)
    return folder


def test_a_further_rating_is_an_entry_and_what_measures_it(smooth_run, capsys):
    ranking = rank_run(smooth_run.path, {}, 1000, num_resamples=0, by="smoothness")
    tables = [
        pd.concat(rating_table.read(path) for path in sorted(folder.glob("*.parquet")))
        for folder in sorted(smooth_run.ratings.glob("block_*"))
    ]
    for row in (0, 20):
        sums = sum_columns(ranking["architecture"][row], tables, ["smoothness"])
        assert ranking["score"][row] == pytest.approx(sums["smoothness"])
    assert len(ranking) == 54
    assert ranking["score"].is_monotonic_increasing
    assert main(["rank", str(smooth_run.path), "--by", "smoothness", "--resamples", "0"]) == 0
    assert "ranked by smoothness score" in capsys.readouterr().out


def test_a_ranking_by_a_further_rating_says_what_it_lacks(smoothness, make_run):
    _, folder, _ = make_run()
    told = "a ranking by smoothness needs candidates that were rated for smoothness, block 0 has none: rank by score"
    with pytest.raises(UserError, match=rf"{told}, or search .* searches\.0\.rating\.num_batches above 0"):
        rank_run(folder.path, {}, 10, by="smoothness")


def test_a_further_rating_is_judged_as_the_others(smoothness):
    accuracies = np.linspace(0.5, 0.9, 12)
    networks = pd.DataFrame(
        {
            "score": np.random.default_rng(0).random(12),
            "smoothness_score": -accuracies,
            "num_params": np.arange(12)[::-1],
            "accuracy": accuracies,
            "accuracies": [[one] for one in accuracies],
        }
    )
    figures = agreement(networks.assign(stitched_accuracy=np.nan), by="smoothness_score", num_resamples=200)
    assert figures["predictors"]["smoothness_score"]["kendall_tau"]["value"] == 1
    assert sentence(figures).startswith("The smoothness score orders 12 networks better than")
