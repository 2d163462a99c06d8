import pytest

from nasray.errors import UserError
from nasray.search_spaces.build import build_space
from nasray.search_spaces.settings import SpaceConfig

SIX = ["conv1", "conv3", "sep3", "mb3k3", "mb6k3", "mb3k5"]


def space(*depths):
    cells = [{"depth": depth, "width": 8 * (number + 1)} for number, depth in enumerate(depths)]
    block = {"stride": 1, "operations": SIX, "cells": cells}
    return build_space(
        SpaceConfig.model_validate({"source": "declared", "blocks": [block, block]}), (1, 8, 8), 10
    )


def test_candidates_are_counted_before_they_are_listed():
    huge = space(2, 10)
    assert huge.num_architectures == (6**2 + 6**10) ** 2
    told = r"block 0 must have at most 5,000,000 candidates, .* got 60,466,212: cell 10x16 alone has 60,466,176; give"
    for listing in (huge.check_listable, lambda: huge.candidate_table(1), huge.largest):
        with pytest.raises(UserError, match=told):
            listing()


def test_rows_of_all_entry_widths_count():
    with pytest.raises(
        UserError, match=r"block 1 .* got 6,718,464: cell 8x8 alone has 1,679,616, entered at 2 widths"
    ):
        space(8, 8).check_listable()
    space(5, 5).check_listable()
