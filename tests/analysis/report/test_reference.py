import pytest

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.report.reference import extremes, found, trained
from nasray.analysis.runs.run import load_run


def test_the_extremes_cost_most_and_least(full_run):
    tables = load_run(full_run).tables
    everything = top_architectures(tables, {}, 10_000)
    smallest, largest = extremes(tables)
    assert (smallest["name"], largest["name"]) == ("smallest", "largest")
    assert smallest["num_macs"] == everything["num_macs"].min()
    assert largest["num_macs"] == everything["num_macs"].max()
    row = everything[everything["architecture"] == largest["architecture"]].iloc[0]
    assert largest["score"] == row["score"]


def test_trained_networks_have_their_mean_and_score(full_run):
    run = load_run(full_run)
    networks, expected = trained(run).set_index("architecture"), run.agreement.set_index("architecture")
    assert networks["accuracy"].to_dict() == pytest.approx(expected["accuracy"].to_dict())
    assert networks["score"].to_dict() == expected["score"].to_dict()
    assert set(networks["num_trainings"]) == {2}


def test_found_without_a_place_has_no_score(new_run):
    run = new_run()
    assert found(load_run(run.path)) is None
    run.ratings()
    run.found()
    assert found(load_run(run.path))["score"].notna().all()
