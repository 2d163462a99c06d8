"""The tables of a comparison: what each search found, and the networks with everybody's scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.exact.unrated import UNRATED
from nasray.analysis.studies.comparison import ARM, COLUMN, CPU_SECONDS, GAIN, NUM_UNRATED, SPACE
from nasray.analysis.tables.sums import sum_columns
from nasray.comparison.arms import ArmRun
from nasray.comparison.scores import Rater, cpu_seconds
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import (
    ACCURACIES,
    ACCURACY,
    ARCHITECTURE,
    NUM_MACS,
    NUM_PARAMS,
    RANDOM,
    RATING,
    STITCHED_ACCURACY,
    TEST_ACCURACY,
)
from nasray.search_spaces.artefacts.criteria import measured_criteria
from nasray.trainables.core.seeding import generator
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec, read_retrained


def run_rater(run: ArmRun, folder: RunFolder, inputs: UnitInputs) -> Rater | None:
    """What a finished search says of all architectures; None: nothing of most."""
    tables = run.speaks[1].scores(run.config, folder, inputs)
    return None if tables is None else Rater(run.arm, tables, run.seed, run.name)


def run_find(
    run: ArmRun, folder: RunFolder, rater: Rater | None, budgets: Mapping[str, float]
) -> dict[str, Any]:
    """What a finished search found, and what was measured of it: a row without costs and accuracies.

    That is, of all architectures within the budgets, the one of the best score, of equals the first ID; where it gives
    no scores, the one that it names. What contains a candidate that it has not rated, it cannot find; `num_unrated`
    says how many such candidates it has.
    """
    method = run.speaks[1]
    if rater is None:
        found = {ARCHITECTURE: method.found(folder).architecture, NUM_UNRATED: 0}
    else:
        found = _found(rater, budgets)
    own = {ARM: run.arm, "seed": run.seed, COLUMN: run.name, CPU_SECONDS: cpu_seconds(folder.path)}
    return {SPACE: run.space, **found, **own, **method.figures(folder)}


def trivial_find(rater: Rater, space: str, budgets: Mapping[str, float]) -> dict[str, Any]:
    """What a trivial measure takes for the best within the budgets, as a row."""
    own = {ARM: rater.arm, "seed": None, COLUMN: rater.column, CPU_SECONDS: 0.0}
    return {SPACE: space, **_found(rater, budgets), **own}


def random_find(space: str, seed: int, architecture: str) -> dict[str, Any]:
    """What is drawn uniformly within the budgets, as a row."""
    own = {ARM: RANDOM, "seed": seed, COLUMN: _random(seed), CPU_SECONDS: 0.0, NUM_UNRATED: 0}
    return {SPACE: space, ARCHITECTURE: architecture, **own}


def comparison_table(
    rows: Sequence[Mapping[str, Any]],
    trainings: Sequence[Sequence[RetrainSpec]],
    inputs: Mapping[str, UnitInputs],
    first: str,
) -> pd.DataFrame:
    """A row per space, arm and seed.

    Columns: `space`, `arm`, `seed` (missing of what depends on none), `column` (the name of its scores and of its
    folder), `architecture`, its `num_params` and `num_macs`, `accuracy` on the test images, 0 to 1, the mean of
    `accuracies` (missing where it is not trained), `gain` (how much higher that is than what the first arm found in the
    space with the seed; missing where that is not known), `cpu_seconds` of the search, `num_unrated`, and what its
    method measured of it.

    Args:
        rows: See `run_find`; at least one.
        trainings: The trainings of what each row found; empty where there are none.
        inputs: By space, to tell costs.
        first: The name of the first arm.
    """
    full = []
    for row, specs in zip(rows, trainings, strict=True):
        cost = inputs[row[SPACE]].space.cost(row[ARCHITECTURE])
        values = [float(read_retrained(spec.folder)[TEST_ACCURACY]) for spec in specs if spec.is_done]
        whole = len(values) == len(specs) > 0
        own = {
            NUM_PARAMS: cost.num_params,
            NUM_MACS: cost.num_macs,
            ACCURACY: float(np.mean(values)) if whole else np.nan,
            ACCURACIES: values if whole else [],
        }
        full.append(dict(row) | own)
    table = pd.DataFrame(full).astype({"seed": "Int64"})
    of_first = table[table[ARM] == first].set_index([SPACE, "seed"])[ACCURACY]
    keys = pd.MultiIndex.from_frame(table[[SPACE, "seed"]])
    table[GAIN] = table[ACCURACY].to_numpy() - of_first.reindex(keys).to_numpy(np.float64)
    leading = [SPACE, ARM, "seed", COLUMN, ARCHITECTURE, NUM_PARAMS, NUM_MACS, ACCURACY, ACCURACIES, GAIN]
    leading += [CPU_SECONDS, NUM_UNRATED]
    return table[[*leading, *table.columns.drop(leading)]]


def with_scores(networks: pd.DataFrame, raters: Sequence[Rater], seeds: Sequence[int]) -> pd.DataFrame:
    """The networks with a column of scores per rater, lower is better; missing where there is no rating.

    Args:
        networks: See `nasray.evidence.table.evidence_table`.
        raters: What says the scores.
        seeds: Those of the random orders.
    """
    of_one_search = [*(one.score for one in measured_criteria()), STITCHED_ACCURACY]
    table = networks.drop(columns=[name for name in of_one_search if name in networks])
    for rater in raters:
        scores = [sum_columns(name, rater.tables, [RATING])[RATING] for name in table[ARCHITECTURE]]
        table[rater.column] = np.array(scores, np.float64)
    for seed in seeds:
        table[_random(seed)] = generator(seed, RANDOM).random(len(table))
    return table


def _found(rater: Rater, budgets: Mapping[str, float]) -> dict[str, Any]:
    best = top_architectures(rater.tables, budgets, 1)
    return {
        ARCHITECTURE: best[ARCHITECTURE][0],
        NUM_UNRATED: sum(one["num_candidates"] for one in best.attrs[UNRATED]),
    }


def _random(seed: int) -> str:
    return f"{RANDOM}_seed_{seed}"
