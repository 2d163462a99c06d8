"""A family study from its searches to the table of all."""

import io

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray import analysis
from nasray.analysis.exact.ranking import top_architectures
from nasray.cli import main
from nasray.experiment import search
from nasray.family.member import trivial_raters
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.views.summary import print_dry_run, print_result


@pytest.fixture(scope="module")
def finished(family_in, tmp_path_factory, ray_of_two):
    """The folder of a finished study, its result and what was printed meanwhile."""
    folder = tmp_path_factory.mktemp("family")
    console = Console(file=io.StringIO(), width=120)
    return folder, search(family_in(folder), console=console), console


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_are_judged_by_the_same_networks(finished):
    place, result, console = finished
    run = analysis.load_run(result.folder)
    assert result.folder == place / "runs" / "family"
    pd.testing.assert_frame_equal(run.family, result.family)
    columns = ["dna_seed_0", "sd_darts_seed_0", "parameters", "MACs", "depth then MACs", "random_seed_0"]
    assert run.family["column"].tolist() == columns
    assert run.family_networks[columns].notna().all().all()
    assert (run.family_networks["group"] == "sample").sum() == 4
    assert (run.family_networks["num_params"] <= 2500).all()
    dna, sd_darts = run.family.iloc[0], run.family.iloc[1]
    assert dna["architecture"] == analysis.load_run(result.folder / "dna_seed_0").ranking["architecture"][0]
    assert 0 < sd_darts["accuracy"] <= 1
    assert (run.family["cpu_seconds"][:2] > 0).all()
    assert run.num_architectures == 54
    print_result(result, console)
    told = console.file.getvalue()
    assert "sd_darts with seed 0" in told
    assert "orders the sampled ones best" in told
    assert "All methods" in (result.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_another_launch_runs_nothing_again(finished, family_in):
    place, result, _ = finished
    again = search(family_in(place))
    assert again.num_units_run == 0
    pd.testing.assert_frame_equal(again.family, result.family)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_study_has_a_run_in_mlflow(finished):
    place, _, _ = finished
    client = MlflowClient(f"sqlite:///{place}/runs/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("nasray").experiment_id])
    (whole,) = [run for run in runs if "dna_kendall_tau" in run.data.metrics]
    assert whole.data.tags["study"] == "family"
    assert {run.data.tags.get("member") for run in runs} == {None, "dna", "sd_darts"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_commands_want_one_search(finished, capsys):
    assert main(["rank", str(finished[1].folder)]) == 2
    assert "RUN must be one search" in capsys.readouterr().err


def test_stages_are_refused(family_in, tmp_path):
    with pytest.raises(ValueError, match="stages must be left out for a family study"):
        search(family_in(tmp_path), stages=["teacher"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search_space": {"source": "nasbench201"}}, "must be one of blocks in a row"),
        ({"budgets": {"num_params": 5}}, "budgets.num_params must be at least"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_runs(family_in, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        search(family_in(tmp_path) | changes)
    assert not (tmp_path / "runs" / "family" / "config.yaml").exists()


def test_trivial_measures_find_the_largest_within_the_budgets(family_in, tmp_path):
    config = load_config(family_in(tmp_path))
    space = unit_inputs(config, RunFolder.of(config)).space
    raters = {rater.method: rater for rater in trivial_raters(space)}
    everything = top_architectures(raters["MACs"].tables, k=1)["architecture"][0]
    assert everything == str(space.largest())
    best = top_architectures(raters["parameters"].tables, config.budgets, 1)
    assert best["num_params"][0] <= 2500
    assert best["score"][0] == -best["num_params"][0]
    deepest = top_architectures(raters["depth then MACs"].tables, k=20)
    assert deepest["architecture"].str.startswith("2x8:").iloc[:12].all()
    assert deepest["num_macs"].iloc[:12].is_monotonic_decreasing


def test_a_dry_run_tells_all_searches_and_what_follows(family_in, tmp_path, capsys):
    print_dry_run(family_in(tmp_path), [], Console(width=200))
    told = capsys.readouterr().out
    assert "dna_seed_0: 54 architectures" in told
    assert "sd_darts_seed_0: 54 architectures" in told
    assert "Then 4 networks that are drawn" in told
