import pytest

from nasray.analysis.report.sections.head import conclusions, facts
from nasray.analysis.runs.run import load_run


def test_the_facts_are_those_of_the_run(full_run):
    known = dict(facts(load_run(full_run)))
    assert known["Architectures"] == "648"
    assert known["Commit"] == "0123456789ab+"
    assert known["Machine"] == "x86_64, 2 CPUs, 8 GB"
    assert "torch 2.14.1" in known["Versions"]


@pytest.mark.parametrize("has_commit", [True, False])
def test_budgets_are_facts(new_run, has_commit):
    run = new_run(budgets={"num_params": 5e6})
    if not has_commit:
        (run.path / "environment.json").unlink()
    known = dict(facts(load_run(run.path)))
    assert known["Budgets"] == "num_params up to 5,000,000"
    assert ("Commit" in known) == has_commit


def test_nothing_is_concluded_from_nothing(new_run):
    assert conclusions(load_run(new_run().path)) == []
