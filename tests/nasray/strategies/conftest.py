import pytest

from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS
from nasray.search_spaces.build import build_space
from nasray.search_spaces.settings import SpaceConfig
from nasray.strategies.problem import Problem

# Two cells of unlike operations in the first block, of unlike widths in the second.
SPACE = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 8}],
    "blocks": [
        {
            "stride": 2,
            "operations": ["skip", "mb3k3", "conv1"],
            "cells": [{"depth": 2, "width": 8}, {"depth": 1, "width": 8}],
        },
        {
            "stride": 2,
            "operations": ["sep3", "mb3k3"],
            "cells": [{"depth": 2, "width": 8}, {"depth": 1, "width": 16}],
        },
    ],
}


@pytest.fixture(scope="session")
def space():
    """Of 12 x 6 architectures."""
    return build_space(SpaceConfig.model_validate(SPACE), (1, 8, 8), 10)


@pytest.fixture(scope="session")
def cell_space():
    return build_space(SpaceConfig(source="nasbench201", channels=4, num_cells=1), (1, 8, 8), 10)


@pytest.fixture(scope="session")
def tables(space):
    return [space.candidate_table(k) for k in range(2)]


@pytest.fixture(scope="session")
def every(space):
    """All architectures."""
    first, second = (range(block.num_candidates) for block in space.blocks)
    return [str(space.decode((a, b))) for a in first for b in second]


@pytest.fixture(scope="session")
def problem(space):
    return Problem(space, {})


@pytest.fixture(scope="session")
def tight(space, tables, every):
    """With two budgets that bind: about the half keep each."""
    costs = [space.cost(name) for name in every]
    middle = len(costs) // 2
    budgets = {
        NUM_PARAMS: float(sorted(cost.num_params for cost in costs)[middle]),
        NUM_MACS: float(sorted(cost.num_macs for cost in costs)[middle]),
    }
    return Problem(space, budgets, tables)
