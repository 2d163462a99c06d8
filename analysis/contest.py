"""What strategies that search by training found, over the seeds of their searches."""

import numpy as np
import pandas as pd

_MEANS = ("held_out_accuracy", "test_accuracy", "num_params", "num_macs", "cost_epochs")
TEST_SE, NUM_SEARCHES = "test_se", "num_searches"


def by_strategy(choices: pd.DataFrame) -> pd.DataFrame:
    """A row per strategy, the best first by the accuracy on the test images.

    Means over the searches, `num_searches` of them; `test_se`, the standard error of the mean test accuracy (NaN of one
    search); and what the search chose whose training ended best on the held-out images, with `test_accuracies` per
    training seed.

    Args:
        choices: A row per strategy and search, as `nasray baselines` leaves it.
    """
    rows = []
    for strategy, own in choices.groupby("strategy", sort=False):
        number = len(own)
        best = own.sort_values("held_out_accuracy", ascending=False, kind="stable").iloc[0]
        error = own["test_accuracy"].std(ddof=1) / np.sqrt(number) if number > 1 else np.nan
        rows.append(
            {
                "strategy": strategy,
                NUM_SEARCHES: number,
                **{name: own[name].mean() for name in _MEANS},
                TEST_SE: error,
                "test_accuracies": list(best["test_accuracies"]),
                "architecture": best["architecture"],
            }
        )
    return pd.DataFrame(rows).sort_values("test_accuracy", ascending=False, kind="stable", ignore_index=True)
