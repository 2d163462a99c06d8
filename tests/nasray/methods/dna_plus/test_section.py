import numpy as np
import pandas as pd

from nasray.analysis.runs.run import load_run
from nasray.methods.dna_plus.section import section
from nasray.run.report_page import report
from nasray.search_spaces.files.atomic_file import write_json


def leave_generations(run, num_generations):
    table = pd.DataFrame(
        {
            "generation": [1, 2],
            "teacher": ["largest", "2x8:skip,skip/2x16:mb3k3,mb3k3"],
            "teacher_accuracy": [0.95, None],
            "teacher_num_params": [12_345, 23_456],
            "kendall_tau": [0.4, np.nan],
            "kendall_tau_low": [-0.1, np.nan],
            "kendall_tau_high": [0.8, np.nan],
            "num_networks": [6, 3],
            "architecture": ["2x8:skip,skip/2x16:mb3k3,mb3k3"] * 2,
            "num_params": [1000, 2000],
            "num_macs": [10_000, 20_000],
            "held_out_accuracy": [0.9, 0.92],
            "test_accuracy": [0.88, 0.93],
            "ranking_tau": [np.nan, 0.75],
            "num_compared": [np.nan, 2000],
            "num_shared": [np.nan, 4],
            "gain": [np.nan, 0.02],
        }
    )[:num_generations]
    table.to_parquet(run.path / "generations.parquet")
    figures = {"best_generation": num_generations, "ended_by": "count", "margin": 0.0}
    write_json(run.path / "generations.json", figures)


def test_a_run_of_one_search_has_no_section(new_run):
    assert section(load_run(new_run().path)) is None


def test_what_each_gave_and_what_changed(new_run):
    run = new_run()
    leave_generations(run, 2)
    figure, given, changed = section(load_run(run.path)).parts
    assert [len(table.rows) for table in (given, changed)] == [2, 1]
    assert given.rows[0][0].text == '<a href="generation_1/report.html">1</a>'
    assert [cell.text for cell in given.rows[0][1:6]] == [
        "0.9500",
        "12,345",
        "0.400 (−0.100 to 0.800)",  # noqa: RUF001
        "0.9000",
        "–",  # noqa: RUF001
    ]
    assert [cell.text for cell in changed.rows[0][:4]] == ["2", "0.750", "2,000", "4"]
    assert "generation 2: 0.9200" in figure.charts[0].markup()
    assert "generation 1: 0.400" in figure.charts[1].markup()


def test_one_generation_is_compared_with_none(new_run):
    run = new_run()
    leave_generations(run, 1)
    (given,) = section(load_run(run.path)).parts
    assert len(given.rows) == 1


def test_the_page_says_which_is_the_best(new_run):
    run = new_run(searches=[{"method": "dna_plus"}])
    leave_generations(run, 2)
    page = report(run.path).read_text(encoding="utf-8")
    assert "The best of 2 generations is number 2" in page
