"""The tables of a family study: what each method found with each seed, and the networks with everybody's scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasray.analysis.exact.ranking import ARCHITECTURE, top_architectures
from nasray.analysis.exact.unrated import UNRATED
from nasray.analysis.studies.family import COLUMN, METHOD, NUM_UNRATED, RANDOM
from nasray.analysis.tables.sums import sum_columns
from nasray.evidence.table import ACCURACIES, ACCURACY, STITCHED_ACCURACY, SWAP_IN_SCORE
from nasray.family.member import Rater
from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS, RATING
from nasray.trainables.core.seeding import generator

_OF_ONE_SEARCH = ["score", SWAP_IN_SCORE, STITCHED_ACCURACY]


def find_all(raters: Sequence[Rater], budgets: Mapping[str, float]) -> pd.DataFrame:
    """What each finds: of all architectures within the budgets the one of the best score, of equals the first ID.

    What contains a candidate that it has not rated, it cannot find; `num_unrated` says how many such candidates it has.
    """
    return pd.DataFrame([_find(rater, budgets) for rater in raters]).astype({"seed": "Int64"})


def _find(rater: Rater, budgets: Mapping[str, float]) -> dict[str, Any]:
    best = top_architectures(rater.tables, budgets, 1)
    return {
        METHOD: rater.method,
        "seed": rater.seed,
        COLUMN: rater.column,
        ARCHITECTURE: best[ARCHITECTURE][0],
        "cpu_seconds": rater.cpu_seconds,
        NUM_UNRATED: sum(one["num_candidates"] for one in best.attrs[UNRATED]),
    }


def finds_table(finds: pd.DataFrame, drawn: Mapping[int, str], networks: pd.DataFrame) -> pd.DataFrame:
    """A row per method and seed: what was found, what it costs, and what it is worth, trained for real.

    Args:
        finds: See `find_all`.
        drawn: Per seed an architecture within the budgets, drawn uniformly: what the method `random` finds.
        networks: See `with_scores`; what was found is among them.
    """
    random = [
        {METHOD: RANDOM, "seed": seed, COLUMN: _random(seed), ARCHITECTURE: name}
        | {"cpu_seconds": 0.0, NUM_UNRATED: 0}
        for seed, name in drawn.items()
    ]
    whole = pd.concat([finds, pd.DataFrame(random).astype({"seed": "Int64"})], ignore_index=True)
    worth = networks[[ARCHITECTURE, NUM_PARAMS, NUM_MACS, ACCURACY, ACCURACIES]]
    return whole.merge(worth, "left", ARCHITECTURE)


def with_scores(networks: pd.DataFrame, raters: Sequence[Rater], seeds: Sequence[int]) -> pd.DataFrame:
    """The networks with a column of scores per method and seed, lower is better; missing where there is no rating.

    Args:
        networks: See `nasray.evidence.table.evidence_table`.
        raters: What says the scores.
        seeds: Those of the random orders.
    """
    table = networks.drop(columns=[name for name in _OF_ONE_SEARCH if name in networks])
    for rater in raters:
        scores = [sum_columns(name, rater.tables, [RATING])[RATING] for name in table[ARCHITECTURE]]
        table[rater.column] = np.array(scores, np.float64)
    for seed in seeds:
        table[_random(seed)] = generator(seed, RANDOM).random(len(table))
    return table


def _random(seed: int) -> str:
    return f"{RANDOM}_seed_{seed}"
