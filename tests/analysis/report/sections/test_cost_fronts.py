import numpy as np
import pandas as pd

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.report.sections.cost_fronts import best_within, pareto_front, section
from nasray.analysis.runs.run import load_run


def test_the_best_within_each_budget_is_the_best_of_all(full_run):
    tables = load_run(full_run).tables
    everything = top_architectures(tables, {}, 10_000)
    costs = np.linspace(everything["num_macs"].min(), everything["num_macs"].max(), 5)
    front = best_within(tables, "num_macs", {"num_params": 2000.0}, costs)
    within = everything[everything["num_params"] <= 2000]
    expected = pd.Series([within[within["num_macs"] <= limit]["score"].min() for limit in costs])
    assert front["score"].tolist() == expected.dropna().drop_duplicates().tolist()


def test_budgets_that_nothing_keeps_have_no_best(full_run):
    assert best_within(load_run(full_run).tables, "num_macs", {"num_params": 1.0}, np.array([1e9])).empty


def test_the_front_has_what_nothing_cheaper_beats():
    networks = pd.DataFrame(
        {"num_macs": [3, 1, 2, 2, 4], "accuracy": [0.9, 0.5, 0.8, 0.85, 0.9], "architecture": list("abcde")}
    )
    assert pareto_front(networks, "num_macs")["architecture"].tolist() == ["b", "d", "a"]


def test_scores_and_accuracies_stand_against_both_costs(full_run):
    score, accuracy = section(load_run(full_run)).parts
    assert len(score.charts) == len(accuracy.charts) == 2
    assert "the teacher on held-out images, 0.963" in [key.text for key in accuracy.legend]
    assert "largest of the space" in score.charts[0].markup()


def test_nothing_without_scores_or_accuracies(new_run):
    assert section(load_run(new_run().path)) is None
