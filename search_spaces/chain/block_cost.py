"""The cost of every candidate of a block, from one measurement per distinct layer."""

import itertools
from collections.abc import Mapping
from functools import reduce

import numpy as np
import pandas as pd

from nasray.search_spaces.artefacts.columns import (
    CANDIDATE,
    CELL,
    DEPTH,
    IN_CHANNELS,
    OPERATIONS,
    OUT_CHANNELS,
    UNCOUNTED,
    WIDTH,
)
from nasray.search_spaces.artefacts.costs import CostKind, counted_costs
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.costs.cost import Cost
from nasray.search_spaces.costs.uncounted import uncounted_text
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import Operation


def layer_costs(
    cell: Cell, stride: int, input_shape: Shape, operations: Mapping[str, Operation]
) -> list[list[Cost]]:
    """Per layer of `cell`, the cost of each of its choices, for maps (C, H, W) entering the first layer."""
    costs = []
    for choices in cell.operations:
        layers = [Layer(choice, cell.width, stride) for choice in choices]
        costs.append([layer.cost(input_shape, operations) for layer in layers])
        input_shape, stride = layers[0].output_shape(input_shape), 1
    return costs


def candidate_costs(
    block: BlockSpace, in_channels: int, input_shape: Shape, operations: Mapping[str, Operation]
) -> pd.DataFrame:
    """One row per candidate in canonical order, in the columns of a rating table without the ratings.

    Args:
        block: Whose candidates.
        in_channels: What the column of that name says: channels at which the block is entered.
        input_shape: Maps (C, H, W) that enter the first layer; behind a stem, C is not `in_channels`.
        operations: The modules behind the operations' names.
    """
    frames = []
    for cell in block.cells:
        costs = layer_costs(cell, block.stride, input_shape, operations)
        names = [",".join(choices) for choices in itertools.product(*cell.operations)]
        frames.append(
            pd.DataFrame(
                {
                    CANDIDATE: [f"{cell.name}:{name}" for name in names],
                    CELL: cell.name,
                    DEPTH: cell.depth,
                    WIDTH: cell.width,
                    OPERATIONS: names,
                    IN_CHANNELS: in_channels,
                    OUT_CHANNELS: cell.width,
                    **{kind.name: _path_sums(kind, costs) for kind in counted_costs()},
                    UNCOUNTED: _uncounted(costs),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _uncounted(costs: list[list[Cost]]) -> list[str | None] | None:
    """Per path, the operators that cannot be counted, as a table of ratings names them; None where there are none."""
    if not any(cost.uncounted for row in costs for cost in row):
        return None
    sums = (sum(path, Cost.zero) for path in itertools.product(*costs))
    return [uncounted_text(cost.uncounted) for cost in sums]


def _path_sums(kind: CostKind, costs: list[list[Cost]]) -> np.ndarray:
    """A cost of every path that takes one choice per layer, in lexicographic order of the paths."""
    dtype = np.int64 if kind.whole else np.float64
    values = [np.array([cost.counts[kind.name] for cost in row], dtype) for row in costs]
    return reduce(np.add.outer, values).ravel()
