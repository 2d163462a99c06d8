import numpy as np
import pandas as pd
import pytest

from nasray.analysis.studies.contest import by_strategy, format_accuracy


@pytest.fixture
def choices():
    """One search by tpe, three by random search."""
    return pd.DataFrame(
        {
            "strategy": ["random", "tpe", "random", "random"],
            "seed": [0, 0, 1, 2],
            "architecture": ["a", "b", "c", "d"],
            "held_out_accuracy": [0.8, 0.7, 0.9, 0.85],
            "test_accuracy": [0.6, 0.9, 0.8, 0.7],
            "test_accuracies": [[0.6], [0.89, 0.91], [0.8], [0.7]],
            "num_params": [10, 20, 30, 20],
            "num_macs": [1, 2, 3, 2],
            "cost_epochs": [4.0, 4.0, 4.0, 4.0],
        }
    )


def test_means_over_searches_and_the_choice_of_the_best_on_held_out_images(choices):
    table = by_strategy(choices).set_index("strategy")
    assert list(table.index) == ["tpe", "random"]
    assert np.isclose(table["test_accuracy"]["random"], 0.7)
    assert np.isclose(table["test_se"]["random"], np.std([0.6, 0.7, 0.8], ddof=1) / np.sqrt(3))
    assert np.isnan(table["test_se"]["tpe"])
    assert table["architecture"]["random"] == "c"
    assert list(table["num_searches"]) == [1, 3]
    assert table["num_params"]["random"] == 20


@pytest.mark.parametrize(
    ("seeds", "told"),
    [([0], "0.6000"), ([0, 1], "0.7000 (0.6000 to 0.8000)"), ([0, 1, 2], "0.7000 ± 0.0577")],
)
def test_an_error_is_told_from_three_searches_on_a_range_before(choices, seeds, told):
    table = by_strategy(choices[choices["seed"].isin(seeds)]).set_index("strategy")
    assert format_accuracy(table.loc["random"]) == told
    assert format_accuracy(table.loc["tpe"]) == "0.9000 (0.8900 to 0.9100)"
