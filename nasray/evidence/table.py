"""The table of the networks that were trained for real: what was said of each, and what became of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from nasray.analysis.tables.sums import sum_columns
from nasray.search_spaces.artefacts.columns import (
    ACCURACIES,
    ACCURACY,
    ARCHITECTURE,
    DEPTH,
    STITCHED_ACCURACY,
    TEST_ACCURACY,
)
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.artefacts.criteria import measured_criteria
from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec, read_retrained
from nasray.trainables.retrain.zero_cost import NASWOT, SYNFLOW


def evidence_table(
    networks: pd.DataFrame,
    trainings: Mapping[str, Sequence[RetrainSpec]],
    tables: Sequence[pd.DataFrame],
    stitched: pd.DataFrame | None,
    inputs: UnitInputs,
) -> pd.DataFrame:
    """A row per network of which all trainings are done.

    Columns: `architecture`, `group`, `score` and `swap_in_score` (sums of the ratings, lower is better; missing where
    there is no rating), each counted cost, `depth` (layers that do something; missing for cells), `accuracies`
    on the test images per training seed, 0 to 1, `accuracy` (their mean), the zero-cost proxies `naswot` and `synflow`
    (means over the training seeds; missing where one of them has none, as trainings of earlier versions have), and
    `stitched_accuracy` on the held-out images (missing where it was not measured).

    Args:
        networks: The architectures with their groups.
        trainings: The specs of each architecture's trainings.
        tables: The ratings of each block; none: nothing is rated.
        stitched: Stitched accuracies by architecture, if measured.
        inputs: What the networks are built from.
    """
    names = [name for name in networks[ARCHITECTURE] if all(spec.is_done for spec in trainings[name])]
    frame = networks[networks[ARCHITECTURE].isin(names)].reset_index(drop=True)
    ratings = {one.score: rating.column for one, rating in measured_criteria().items()}
    said = [sum_columns(name, tables, list(ratings.values())) if tables else {} for name in names]
    for score, column in ratings.items():
        frame[score] = _floats(values.get(column) for values in said)
    costs = [inputs.space.cost(name) for name in names]
    for kind in counted_costs():
        dtype = np.int64 if kind.whole else np.float64
        frame[kind.name] = np.array([cost.counts[kind.name] for cost in costs], dtype)
    space = inputs.space if isinstance(inputs.space, SearchSpace) else None
    frame[DEPTH] = pd.array([_depth(space, name) if space else None for name in names], "Int64")
    results = [[read_retrained(spec.folder) for spec in trainings[name]] for name in names]
    frame[ACCURACIES] = [[float(result[TEST_ACCURACY]) for result in of_name] for of_name in results]
    frame[ACCURACY] = _floats(np.mean(values) for values in frame[ACCURACIES])
    for proxy in (NASWOT, SYNFLOW):
        frame[proxy] = _floats(
            np.mean(_floats(result.get(proxy) for result in of_name)) for of_name in results
        )
    measured = (
        {}
        if stitched is None
        else dict(zip(stitched[ARCHITECTURE], stitched[STITCHED_ACCURACY], strict=True))
    )
    frame[STITCHED_ACCURACY] = _floats(measured.get(name) for name in names)
    return frame


def _depth(space: SearchSpace, architecture: str) -> int:
    """Number of layers that do something; a `skip` that changes width or size is a layer."""
    with torch.device("meta"):
        network = space.build(architecture)
    layers = [layer for block in network.blocks for layer in block.children()]
    return sum(not isinstance(layer, nn.Identity) for layer in layers) - len(space.stem)


def _floats(values: object) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], np.float64)  # type: ignore[attr-defined]
