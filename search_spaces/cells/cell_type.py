"""A kind of cell in a cell space: how its nodes are wired, what each edge chooses from, and which cells there are."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nasray.errors import UserError
from nasray.search_spaces.architecture import check_operation_name
from nasray.search_spaces.cells.genotype import CellGenotype, ChosenEdge
from nasray.search_spaces.names.suggestion import did_you_mean

NONE = "none"


@dataclass(frozen=True, slots=True)
class CellEdge:
    """A possible edge of a cell.

    Attributes:
        node: Number of the node that it enters, from 0.
        source: Where it comes from: the cell's inputs are counted first, then its nodes.
        operations: Names of its choices.
    """

    node: int
    source: int
    operations: tuple[str, ...]

    @property
    def kept_operations(self) -> tuple[str, ...]:
        """The choices but for "none", of which one is taken where the edge itself is chosen."""
        return tuple(name for name in self.operations if name != NONE)


@dataclass(frozen=True, slots=True)
class CellType:
    """All cells of one kind: a directed graph in which every node may see the inputs and all nodes before it.

    Attributes:
        name: What the kind is called, such as "normal"; also the name of its alphas.
        num_inputs: How many maps enter the cell.
        stride: By how much the edges that leave an input shrink height and width.
        choices: Names of the operations to choose from, the same number per edge; edges are ordered by their node,
            then by their source.
        edges_per_node: How many edges a node keeps, chosen among all; "none" is no choice then. None: all edges are
            kept, "none" being a choice like any other.
        output: "concat": the maps of all nodes, one behind the other; "last": those of the last node.
    """

    name: str
    num_inputs: int
    stride: int
    choices: tuple[tuple[str, ...], ...]
    edges_per_node: int | None
    output: Literal["concat", "last"]

    def __post_init__(self) -> None:
        if self.num_inputs < 1 or self.stride < 1:
            raise UserError(
                f"num_inputs and stride of cell {self.name} must be at least 1, got {self.num_inputs}, {self.stride}"
            )
        if len(set(map(len, self.choices))) != 1:
            raise UserError(
                f"the edges of cell {self.name} must have equally many choices, got {self.choices}"
            )
        if len(self._wiring()) != len(self.choices):
            raise UserError(
                f"cell {self.name} must list choices for all edges of its nodes, got {len(self.choices)}: with"
                f" {self.num_inputs} inputs, nodes have {self.num_inputs}, {self.num_inputs + 1}, ... edges"
            )
        for edge in self.edges:
            for name in edge.operations:
                check_operation_name(name)
            if len(set(edge.operations)) != len(edge.operations) or not edge.kept_operations:
                raise UserError(
                    f"an edge of cell {self.name} must name different operations, not only none, got {edge.operations}"
                )
        if self.edges_per_node is not None and not 1 <= self.edges_per_node <= self.num_inputs:
            raise UserError(
                f"edges_per_node of cell {self.name} must be in [1, {self.num_inputs}], the number of inputs,"
                f" got {self.edges_per_node}"
            )

    @property
    def edges(self) -> tuple[CellEdge, ...]:
        """All possible edges, by node, then by source: the order of the rows of the alphas."""
        wiring = zip(self._wiring(), self.choices, strict=True)
        return tuple(CellEdge(node, source, operations) for (node, source), operations in wiring)

    @property
    def nodes(self) -> tuple[tuple[CellEdge, ...], ...]:
        """Per node, the edges that may enter it."""
        return tuple(tuple(edges) for _, edges in itertools.groupby(self.edges, key=lambda edge: edge.node))

    @property
    def num_choices(self) -> int:
        """Number of choices of an edge, "none" included."""
        return len(self.choices[0])

    @property
    def num_genotypes(self) -> int:
        """Number of different genotypes: of edges kept and their operations; isomorphic cells count apart."""
        return math.prod(
            sum(self._num_variants(kept) for kept in self._selections(edges)) for edges in self.nodes
        )

    def sample(self, rng: np.random.Generator) -> CellGenotype:
        """A genotype drawn uniformly from all."""
        nodes = []
        for edges in self.nodes:
            selections = self._selections(edges)
            counts = np.array([self._num_variants(kept) for kept in selections], dtype=float)
            kept = selections[rng.choice(len(selections), p=counts / counts.sum())]
            nodes.append(
                tuple(ChosenEdge(str(rng.choice(self._allowed(edge))), edge.source) for edge in kept)
            )
        return CellGenotype(tuple(nodes))

    def check(self, genotype: CellGenotype) -> None:
        """Holds `genotype` to this kind of cell.

        Raises:
            UserError: If it is none of these cells; the text names the node and what is allowed.
        """
        if len(genotype.nodes) != len(self.nodes):
            raise UserError(f"cell {self.name} must have {len(self.nodes)} nodes, got {len(genotype.nodes)}")
        for node, (chosen, edges) in enumerate(zip(genotype.nodes, self.nodes, strict=True)):
            where = f"node {node} of cell {self.name}"
            num_edges = self.edges_per_node or len(edges)
            if len(chosen) != num_edges or chosen[-1].source >= len(edges):
                raise UserError(
                    f"{where} must have {num_edges} edges from sources 0 to {len(edges) - 1},"
                    f" got {', '.join(map(str, chosen))}"
                )
            for edge in chosen:
                allowed = self._allowed(edges[edge.source])
                if edge.operation not in allowed:
                    hint = did_you_mean(edge.operation, allowed)
                    raise UserError(
                        f"{where}: the operation on source {edge.source} must be one of {', '.join(allowed)},"
                        f" got {edge.operation!r}{hint}"
                    )

    def strongest(self, weights: Sequence[Sequence[float]], *, allow_none: bool = True) -> CellGenotype:
        """The genotype that weights [edges, choices] stand for; ties go to the first source and the first choice.

        Each edge takes its heaviest operation that is allowed; where a node keeps some edges only, those whose
        operations are heaviest.

        Source: DARTS (arXiv 1806.09055), section 2.4; where all edges are kept and "none" is allowed, NAS-Bench-201's
        released search.

        Args:
            weights: Of each edge's choices.
            allow_none: Whether "none" may be the heaviest where it is a choice like any other.
        """
        rows = iter(weights)
        nodes = []
        for edges in self.nodes:
            best = []
            for edge in edges:
                weight_of = dict(zip(edge.operations, next(rows), strict=True))
                allowed = self._allowed(edge) if allow_none else edge.kept_operations
                operation = max(allowed, key=weight_of.__getitem__)
                best.append((weight_of[operation], ChosenEdge(operation, edge.source)))
            best.sort(key=lambda pair: -pair[0])
            kept = (edge for _, edge in best[: self.edges_per_node])
            nodes.append(tuple(sorted(kept, key=lambda edge: edge.source)))
        return CellGenotype(tuple(nodes))

    def positions(self, genotype: CellGenotype) -> list[tuple[int, int]]:
        """Per edge of `genotype`, its place (edge, choice) in weights [edges, choices]."""
        places = {(edge.node, edge.source): (row, edge) for row, edge in enumerate(self.edges)}
        positions = []
        for node, chosen in enumerate(genotype.nodes):
            for choice in chosen:
                row, edge = places[node, choice.source]
                positions.append((row, edge.operations.index(choice.operation)))
        return positions

    def _wiring(self) -> list[tuple[int, int]]:
        """(node, source) of all edges of the nodes that the listed choices are enough for, at least one."""
        wiring: list[tuple[int, int]] = []
        node = 0
        while len(wiring) < len(self.choices):
            wiring += [(node, source) for source in range(self.num_inputs + node)]
            node += 1
        return wiring

    def _allowed(self, edge: CellEdge) -> tuple[str, ...]:
        return edge.operations if self.edges_per_node is None else edge.kept_operations

    def _selections(self, edges: Sequence[CellEdge]) -> list[tuple[CellEdge, ...]]:
        """The ways to keep a node's edges."""
        return list(itertools.combinations(edges, self.edges_per_node or len(edges)))

    def _num_variants(self, kept: Sequence[CellEdge]) -> int:
        return math.prod(len(self._allowed(edge)) for edge in kept)
