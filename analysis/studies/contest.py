"""Results of strategies that search by training, over the seeds of their searches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_MEANS = ("held_out_accuracy", "test_accuracy", "num_params", "num_macs", "cost_epochs")
NUM_SEARCHES = "num_searches"
_TEST_SE, _TEST_VALUES = "test_se", "test_values"
_FEWEST_FOR_ERROR = 3


def by_strategy(choices: pd.DataFrame) -> pd.DataFrame:
    """A row per strategy, the best first by the accuracy on the test images.

    Means over the searches, `num_searches` of them; `test_se`, the standard error of the mean test accuracy (NaN of
    fewer than three searches); `test_values`, what that is the mean of: of several searches a value for each, of one
    search a value per training seed; and what the search chose whose training ended best on the held-out images.

    Args:
        choices: A row per strategy and search, as `nasray baselines` leaves it.
    """
    rows = []
    for strategy, own in choices.groupby("strategy", sort=False):
        number = len(own)
        best = own.sort_values("held_out_accuracy", ascending=False, kind="stable").iloc[0]
        error = own["test_accuracy"].sem() if number >= _FEWEST_FOR_ERROR else np.nan
        rows.append(
            {
                "strategy": strategy,
                NUM_SEARCHES: number,
                **{name: own[name].mean() for name in _MEANS},
                _TEST_SE: error,
                _TEST_VALUES: list(own["test_accuracy"] if number > 1 else best["test_accuracies"]),
                "architecture": best["architecture"],
            }
        )
    return pd.DataFrame(rows).sort_values("test_accuracy", ascending=False, kind="stable", ignore_index=True)


def format_accuracy(row: Mapping[Any, Any]) -> str:
    """The accuracy on the test images of a row of `by_strategy`: ± its standard error, or with the range of its values.

    A range where there is no standard error: of fewer than three searches.
    """
    mean, values = f"{row['test_accuracy']:.4f}", row[_TEST_VALUES]
    if row[NUM_SEARCHES] >= _FEWEST_FOR_ERROR:
        return f"{mean} ± {row[_TEST_SE]:.4f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.4f} to {max(values):.4f})"
