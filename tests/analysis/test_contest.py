import numpy as np
import pandas as pd

from analysis.contest import by_strategy


def test_means_over_searches_and_the_choice_of_the_best_on_held_out_images():
    choices = pd.DataFrame(
        {
            "strategy": ["random", "tpe", "random"],
            "seed": [0, 0, 1],
            "architecture": ["a", "b", "c"],
            "held_out_accuracy": [0.8, 0.7, 0.9],
            "test_accuracy": [0.6, 0.9, 0.8],
            "test_accuracies": [[0.6], [0.9], [0.8]],
            "num_params": [10, 20, 30],
            "num_macs": [1, 2, 3],
            "cost_epochs": [4.0, 4.0, 4.0],
        }
    )
    table = by_strategy(choices).set_index("strategy")
    assert list(table.index) == ["tpe", "random"]
    assert np.isclose(table["test_accuracy"]["random"], 0.7)
    assert np.isclose(table["test_se"]["random"], np.std([0.6, 0.8], ddof=1) / np.sqrt(2))
    assert np.isnan(table["test_se"]["tpe"])
    assert table["architecture"]["random"] == "c"
    assert list(table["num_searches"]) == [1, 2]
    assert table["num_params"]["random"] == 20
