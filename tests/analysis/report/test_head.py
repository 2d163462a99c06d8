import pytest

from analysis.report.head import conclusions, facts, proof
from analysis.run import load_run


def certificate(**changes):
    return {"proved": True, "gap": 0.0, "num_feasible": {"lower": "54", "upper": "54"}} | changes


def test_what_is_proved_is_said():
    assert proof(certificate(), 10).startswith("Proved: no other of the 54 architectures")
    assert "better by 0.25 at the most" in proof(certificate(proved=False, gap=0.25), 10)
    assert "time ran out before so many" in proof(certificate(proved=False, gap=None), 10)
    bounds = {"lower": "10", "upper": str(2 * 10**17)}
    assert "between 10 and 200,000,000,000,000,000 (about 2.0" in proof(certificate(num_feasible=bounds), 10)


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
