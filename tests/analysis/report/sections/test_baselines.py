import pandas as pd

from nasray.analysis.report.sections.baselines import section
from nasray.analysis.runs.run import load_run


def test_a_run_without_other_searches_has_no_section(new_run):
    assert section(load_run(new_run().path)) is None


def test_the_choices_stand_best_first_and_each_search_has_its_curve(new_run):
    run = new_run()
    choices = pd.DataFrame(
        {
            "strategy": ["random", "tpe", "dna"],
            "architecture": ["2x8:skip,skip/2x16:mb3k3,mb3k3", "3x8:skip,skip,skip/2x16:skip,skip", "a/b"],
            "held_out_accuracy": [0.9, 0.92, 0.91],
            "test_accuracy": [0.88, 0.93, 0.9],
            "test_accuracies": [[0.88], [0.93], [0.9]],
            "num_params": [1000, 2000, 3000],
            "num_macs": [10_000, 20_000, 30_000],
            "num_trainings": [2, 2, 0],
            "cost_epochs": [10.0, 10.0, 12_345.0],
        }
    )
    trainings = pd.DataFrame(
        {
            "strategy": ["random", "random", "tpe", "tpe"],
            "architecture": list("abcd"),
            "epochs": 5,
            "held_out_accuracy": [0.9, 0.8, 0.85, 0.92],
            "spent_epochs": [5, 10, 5, 10],
            "best_held_out_accuracy": [0.9, 0.9, 0.85, 0.92],
        }
    )
    choices.to_parquet(run.path / "baselines.parquet")
    trainings.to_parquet(run.path / "baselines_trainings.parquet")
    progress, table = section(load_run(run.path)).parts
    assert [key.text for key in progress.legend] == ["random", "tpe"]
    assert "0.9200" in progress.charts[0].markup()
    assert [row[0].text for row in table.rows] == ["tpe", "dna", "random"]
    assert table.rows[1][4].text == "12,345"
