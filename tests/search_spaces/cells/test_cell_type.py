import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nasray.search_spaces.cells.cell_type import CellType
from nasray.search_spaces.cells.genotype import CellGenotype, ChosenEdge

ALL_KEPT = CellType(
    "cell",
    num_inputs=1,
    stride=1,
    choices=(("none", "a"), ("a", "b"), ("none", "b")),
    edges_per_node=None,
    output="last",
)
TWO_KEPT = CellType(
    "normal",
    num_inputs=2,
    stride=1,
    choices=(("none", "a", "b"), ("none", "a", "b"), ("a", "b", "c"), ("none", "a", "b"), ("none", "a", "c")),
    edges_per_node=2,
    output="concat",
)


def enumerate_genotypes(cell_type):
    per_node = []
    for edges in cell_type.nodes:
        variants = []
        for kept in itertools.combinations(edges, cell_type.edges_per_node or len(edges)):
            names = [
                [name for name in edge.operations if name != "none" or cell_type.edges_per_node is None]
                for edge in kept
            ]
            for operations in itertools.product(*names):
                variants.append(
                    tuple(ChosenEdge(name, e.source) for name, e in zip(operations, kept, strict=True))
                )
        per_node.append(variants)
    return [CellGenotype(nodes) for nodes in itertools.product(*per_node)]


@pytest.mark.parametrize("cell_type", [ALL_KEPT, TWO_KEPT])
def test_the_count_is_that_of_an_enumeration(cell_type):
    genotypes = enumerate_genotypes(cell_type)
    assert cell_type.num_genotypes == len({str(genotype) for genotype in genotypes}) == len(genotypes)
    for genotype in genotypes:
        cell_type.check(genotype)


@pytest.mark.parametrize("cell_type", [ALL_KEPT, TWO_KEPT])
def test_samples_are_uniform(cell_type):
    rng = np.random.default_rng(0)
    per_genotype = 40
    counts = Counter(str(cell_type.sample(rng)) for _ in range(per_genotype * cell_type.num_genotypes))
    assert len(counts) == cell_type.num_genotypes
    squares = sum((count - per_genotype) ** 2 / per_genotype for count in counts.values())
    freedom = cell_type.num_genotypes - 1
    assert abs(squares - freedom) < 4 * np.sqrt(2 * freedom)


def test_edges_are_ordered_by_node_then_source():
    assert [(edge.node, edge.source) for edge in TWO_KEPT.edges] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    assert [edge.operations for edge in TWO_KEPT.edges] == list(TWO_KEPT.choices)


def test_the_heaviest_operation_is_taken_none_among_them_where_all_edges_are_kept():
    weights = [[0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]
    assert str(ALL_KEPT.strongest(weights)) == "|none~0|+|b~0|b~1|"
    assert str(ALL_KEPT.strongest(weights, allow_none=False)) == "|a~0|+|b~0|b~1|"


def test_the_two_edges_with_the_heaviest_operations_but_none_are_kept():
    weights = [
        [0.8, 0.1, 0.1],
        [0.2, 0.3, 0.5],
        [0.3, 0.4, 0.3],
        [0.9, 0.06, 0.04],
        [0.0, 0.1, 0.9],
    ]
    assert str(TWO_KEPT.strongest(weights)) == "|a~0|b~1|+|b~0|c~2|"


def test_ties_go_to_the_first_source_and_the_first_choice():
    assert str(TWO_KEPT.strongest([[1 / 3] * 3] * 5)) == "|a~0|a~1|+|a~0|a~1|"
    assert str(ALL_KEPT.strongest([[0.5] * 2] * 3)) == "|none~0|+|a~0|none~1|"


def test_positions_point_at_the_chosen_operations():
    genotype = CellGenotype.parse("|b~0|a~1|+|c~0|c~2|")
    assert TWO_KEPT.positions(genotype) == [(0, 2), (1, 1), (2, 2), (4, 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("|a~0|b~1|", "cell normal must have 2 nodes, got 1"),
        ("|a~0|+|a~0|b~1|", "node 0 of cell normal must have 2 edges from sources 0 to 1, got a~0"),
        ("|a~0|b~2|+|a~0|b~1|", "node 0 .* from sources 0 to 1, got a~0, b~2"),
        ("|a~0|b~1|+|a~0|b~1|c~2|", "node 1 .* must have 2 edges from sources 0 to 2"),
        ("|a~0|none~1|+|a~0|b~1|", "node 0 .* on source 1 must be one of a, b, got 'none'"),
        ("|a~0|b~1|+|a~0|c~1|", "node 1 .* on source 1 must be one of a, b, got 'c'"),
    ],
)
def test_foreign_genotypes_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        TWO_KEPT.check(CellGenotype.parse(text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_inputs": 0}, "num_inputs and stride .* at least 1, got 0, 1"),
        ({"stride": 0}, "at least 1, got 2, 0"),
        ({"choices": TWO_KEPT.choices[:4]}, "must list choices for all edges of its nodes, got 4"),
        ({"choices": (*TWO_KEPT.choices[:4], ("a",))}, "equally many choices"),
        ({"choices": ()}, "equally many choices"),
        ({"choices": (("a", "a"),) * 5}, "different operations"),
        ({"choices": (("none",),) * 5}, "not only none"),
        ({"choices": (("a b",),) * 5}, "operation's name"),
        ({"edges_per_node": 3}, r"must be in \[1, 2\], the number of inputs, got 3"),
        ({"edges_per_node": 0}, r"must be in \[1, 2\]"),
    ],
)
def test_impossible_cells_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TWO_KEPT, **changes)
