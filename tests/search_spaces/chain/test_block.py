from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from nasray.search_spaces.architecture import Candidate
from nasray.search_spaces.chain.block import BlockSpace, Cell

ONE = Cell(1, 8, (("a", "b"),))
TWO = Cell(2, 4, (("b", "a", "c"), ("a", "d")))
BLOCK = BlockSpace(2, (ONE, TWO))


def test_candidates_come_in_the_order_of_the_choices():
    assert [str(candidate) for candidate in BLOCK.candidates()] == [
        "1x8:a", "1x8:b",
        "2x4:b,a", "2x4:b,d", "2x4:a,a", "2x4:a,d", "2x4:c,a", "2x4:c,d",
    ]  # fmt: skip


def test_a_block_knows_its_counts_widths_and_cells():
    assert (ONE.num_candidates, TWO.num_candidates, BLOCK.num_candidates) == (2, 6, 8)
    assert BLOCK.widths == (4, 8)
    assert BLOCK.cell("2x4") is TWO


def test_indices_are_positions_in_the_enumeration():
    for index, candidate in enumerate(BLOCK.candidates()):
        assert BLOCK.index(candidate) == index
        assert BLOCK.candidate(index) == candidate


def test_counts_are_exact_beyond_64_bits():
    cell = Cell(70, 1, (("a", "b", "c"),) * 70)
    block = BlockSpace(1, (cell, Cell(1, 1, (("a",),))))
    assert block.num_candidates == 3**70 + 1
    assert block.index(Candidate(1, ("c",) * 70)) == 3**70 - 1
    assert block.candidate(3**70 - 1) == Candidate(1, ("c",) * 70)
    assert block.sample(np.random.default_rng(0)).depth == 70


def test_samples_are_uniform_over_the_candidates_of_all_cells():
    rng = np.random.default_rng(0)
    counts = Counter(BLOCK.index(BLOCK.sample(rng)) for _ in range(8_000))
    assert chisquare([counts[index] for index in range(8)]).pvalue > 0.01


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (Candidate(5, ("a",)), "cell must be one of 1x8, 2x4, got '1x5'"),
        (Candidate(4, ("b", "c")), "layer 1 of 2x4 must be one of a, d, got 'c'"),
    ],
)
def test_a_foreign_candidate_has_no_index(candidate, message):
    with pytest.raises(ValueError, match=message):
        BLOCK.index(candidate)


@pytest.mark.parametrize("index", [-1, 8])
def test_there_is_no_candidate_out_of_range(index):
    with pytest.raises(ValueError, match=rf"must be in \[0, 8\), got {index}"):
        BLOCK.candidate(index)


@pytest.mark.parametrize(
    ("depth", "width", "operations", "message"),
    [
        (0, 8, (), "at least 1, got 0x8"),
        (1, 0, (("a",),), "at least 1, got 1x0"),
        (2, 8, (("a",),), "operations for 2 layers, got 1"),
        (1, 8, ((),), "layer 0 of cell 1x8 must have at least one operation"),
        (1, 8, (("a", "b", "a"),), "name an operation once, got a, b, a"),
        (1, 8, (("a,b",),), "must be made of letters"),
    ],
)
def test_impossible_cells_are_refused(depth, width, operations, message):
    with pytest.raises(ValueError, match=message):
        Cell(depth, width, operations)


@pytest.mark.parametrize(
    ("stride", "cells", "message"),
    [
        (0, (ONE,), "stride must be at least 1, got 0"),
        (1, (), "at least one cell"),
        (1, (ONE, TWO, ONE), "must differ in depth or width, got 1x8, 2x4, 1x8"),
    ],
)
def test_impossible_blocks_are_refused(stride, cells, message):
    with pytest.raises(ValueError, match=message):
        BlockSpace(stride, cells)
