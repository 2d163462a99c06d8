import pytest
from conformance import PROMISES

from nasray.search_spaces.build import SHIPPED_SPACES, build_space
from nasray.search_spaces.settings import SpaceConfig

IMAGES = {
    "dna": ((3, 224, 224), 1000),
    "dna_one_cell": ((3, 224, 224), 1000),
    "digits": ((1, 8, 8), 10),
    "small_images": ((3, 32, 32), 10),
    "vit": ((3, 224, 224), 1000),
    "vit_digits": ((1, 8, 8), 10),
}
DECLARED = {
    "source": "declared",
    "head_width": 20,
    "operations": {"own_skip": "nasray.search_spaces.operations.shipped:skip"},
    "blocks": [
        {"stride": 1, "operations": ["conv3", "sep3"], "cells": [{"depth": 1, "width": 6}]},
        {
            "stride": 2,
            "cells": [
                {"depth": 2, "width": 9, "operations": [["mb3k3", "own_skip"], ["skip", "sep5", "conv1"]]},
                {"depth": 1, "width": 5, "operations": ["mb1k3", "mb6k7se"]},
            ],
        },
    ],
}


@pytest.fixture(scope="module")
def spaces():
    shipped = {name: build_space(SpaceConfig(source=name), *IMAGES[name]) for name in SHIPPED_SPACES}
    return {**shipped, "declared": build_space(SpaceConfig(**DECLARED), (2, 9, 7), 4)}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("name", [*SHIPPED_SPACES, "declared"])
def test_space_keeps_its_promises(spaces, name, promise):
    promise(spaces[name])
