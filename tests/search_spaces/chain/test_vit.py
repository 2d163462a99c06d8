import pytest
import torch

from nasray.search_spaces.build import build_space
from nasray.search_spaces.chain.vit import vit, vit_digits
from nasray.search_spaces.settings import SpaceConfig


@pytest.mark.parametrize(
    ("space", "count", "tokens"),
    [(vit((3, 224, 224), 1000), 1_401_249_857_536, (14, 14)), (vit_digits((1, 8, 8), 10), 46_656, (4, 4))],
)
def test_spaces_say_how_large_they_are(space, count, tokens):
    assert space.num_architectures == count
    for block in range(len(space.blocks)):
        assert space.block_output_shape(block, 1)[1:] == tokens


def test_images_must_be_cut_into_whole_patches():
    with pytest.raises(ValueError, match=r"operation 'patch' .* must turn maps \(1, 9, 8\) into"):
        build_space(SpaceConfig(source="vit_digits"), (1, 9, 8), 10)


def test_convolutions_and_attention_stand_in_one_cell():
    config = SpaceConfig.model_validate(
        {
            "source": "declared",
            "stem": [{"operation": "conv3", "width": 16}],
            "blocks": [
                {"stride": 2, "operations": ["mb3k3", "att2x16r2"], "cells": [{"depth": 2, "width": 24}]}
            ],
        }
    )
    space = build_space(config, (1, 8, 8), 10)
    assert space.num_architectures == 4
    network = space.build("2x24:att2x16r2,mb3k3")
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 10)
