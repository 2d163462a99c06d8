"""The result of a study: a row per run, and per space and arm the mean of what was measured with its standard error."""

import numpy as np
import pandas as pd

from nasray.planning.sd_darts_plan import StudyRun
from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS
from nasray.trainables.core.trainable import read_done
from nasray.trainables.retrain.trainable import TEST_ACCURACY, read_retrained
from nasray.trainables.sd_darts.sharpness.measurement import (
    DISCRETIZED_ACCURACY,
    EIGENVALUE,
    GAP,
    NOISE_SLOPE,
    SUPERNET_ACCURACY,
)
from nasray.trainables.sd_darts.trainable import Found

GAIN = "gain"
MEASURED = (
    TEST_ACCURACY,
    "num_skips",
    EIGENVALUE,
    NOISE_SLOPE,
    GAP,
    SUPERNET_ACCURACY,
    DISCRETIZED_ACCURACY,
    "alpha_entropy",
    "seconds",
)


def study_table(runs: list[StudyRun]) -> pd.DataFrame:
    """One row per run whose search and retraining are done.

    Columns: space, arm, seed, the architecture found, its costs, all of `MEASURED`, and `gain`. What was measured of
    the supernet is that of the epoch whose architecture was chosen; `seconds` is the whole time of the search;
    `test_accuracy` is that of the architecture, trained for real; `gain` is how much higher it is than that of the
    study's first arm in the same space with the same seed, missing where that run is not done.
    """
    done = [run for run in runs if run.search.is_done and run.retraining.is_done]
    table = pd.DataFrame([_row(run) for run in done])
    if not done:
        return table
    first = table[table["arm"] == runs[0].arm].set_index(["space", "seed"])[TEST_ACCURACY]
    keys = pd.MultiIndex.from_frame(table[["space", "seed"]])
    return table.assign(**{GAIN: table[TEST_ACCURACY] - first.reindex(keys).to_numpy()})


def study_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per space and arm, in the study's order: `num_runs`, and of each measurement the mean and `<name>_se`.

    Standard errors are those of a mean over seeds; of `gain`, over the seeds whose run of the first arm is done.
    """
    groups = table.groupby(["space", "arm"], sort=False)
    summary = groups.size().to_frame("num_runs")
    for name in (*MEASURED, GAIN):
        summary[name] = groups[name].mean()
        summary[f"{name}_se"] = groups[name].std() / np.sqrt(groups[name].count())
    return summary.reset_index()


def _row(run: StudyRun) -> dict[str, object]:
    found = Found.read(run.search.folder)
    done = read_done(run.search.folder)
    assert done is not None
    history = done["history"]
    figures = {name: value for metrics in history[: found.epoch] for name, value in metrics.items()}
    figures["seconds"] = sum(metrics["seconds"] for metrics in history)
    figures[TEST_ACCURACY] = read_retrained(run.retraining.folder)[TEST_ACCURACY]
    return {
        "space": run.space,
        "arm": run.arm,
        "seed": run.seed,
        "architecture": found.architecture,
        "epoch": found.epoch,
        NUM_PARAMS: found.num_params,
        NUM_MACS: found.num_macs,
        **{name: figures.get(name) for name in MEASURED},
    }
