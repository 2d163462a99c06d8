import pickle
from dataclasses import replace

import numpy as np
import pytest

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.mbconv import digits
from nasray.search_spaces.operations.layer import Layer

SPACE = digits((1, 8, 8), 10)


def test_shapes_follow_the_strides_of_stem_and_blocks():
    space = replace(SPACE, input_shape=(3, 31, 17), stem=(Layer("conv3", 8, 2), Layer("sep3", 12)))
    assert space.block_input_shape(0, 3) == (3, 31, 17)
    assert [space.block_output_shape(k, 5) for k in range(3)] == [(5, 16, 9), (5, 8, 5), (5, 4, 3)]
    assert space.block_input_shape(2, 7) == (7, 8, 5)
    assert [space.entry_widths(k) for k in range(3)] == [(3,), (16,), (24,)]


def test_a_space_without_stem_begins_with_its_first_block():
    space = replace(SPACE, stem=())
    architecture = space.sample(np.random.default_rng(0))
    assert len(space.build_stem()) == 0
    assert len(space.build(architecture).blocks[0]) == architecture.candidates[0].depth
    assert space.build(architecture).blocks[0][0].branch[0][0].in_channels == 1


def test_extremes_equal_the_best_of_all_architectures():
    blocks = tuple(BlockSpace(block.stride, block.cells[-2:]) for block in SPACE.blocks)
    space = replace(SPACE, blocks=(blocks[0], blocks[2]), num_classes=3)
    all_costs = {
        architecture: space.cost(architecture)
        for first in range(space.blocks[0].num_candidates)
        for last in range(space.blocks[1].num_candidates)
        if (architecture := space.decode((first, last)))
    }
    by_size = sorted(all_costs, key=lambda a: (all_costs[a].num_macs, all_costs[a].num_params))
    assert space.smallest() == by_size[0]
    assert all_costs[space.largest()] == all_costs[by_size[-1]]


def test_a_space_travels_to_other_processes():
    twin = pickle.loads(pickle.dumps(SPACE))
    assert twin.largest() == SPACE.largest()
    assert twin.num_architectures == SPACE.num_architectures == 23_868


def test_a_foreign_operation_names_block_layer_and_choices():
    architecture = Architecture.parse("2x16:mb3k3,skip/2x24:mb3k3,mb9k9/2x32:mb3k3,skip")
    with pytest.raises(
        ValueError, match=r"block 1: layer 1 of 2x24 must be one of skip, mb3k3, .* got 'mb9k9'"
    ):
        SPACE.build(architecture)


def test_indices_must_be_one_per_block():
    with pytest.raises(ValueError, match="3 indices, one per block, got 2"):
        SPACE.decode((0, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_shape": (8, 8)}, "input_shape must be positive"),
        ({"input_shape": (1, 0, 8)}, "input_shape must be positive"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"head_width": 0}, "head_width must be at least 1 or None, got 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"blocks": ()}, "at least one block"),
        ({"stem": (Layer("conf3", 8),)}, "the stem: .* got 'conf3'; did you mean 'conv3'"),
        (
            {"blocks": (BlockSpace(1, (Cell(1, 4, (("mb3k9",),)),)),)},
            "block 0, cell 1x4: the operation must be one of skip, .* got 'mb3k9'; did you mean 'mb3k",
        ),
    ],
)
def test_impossible_spaces_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SPACE, **change)
