"""An architecture as a set of decisions by name, which is how strategies that know nothing of networks handle it."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.cells.cell_type import CellEdge, CellType
from nasray.search_spaces.cells.genotype import CellGenotype, ChosenEdge, Genotype
from nasray.search_spaces.chain.block import BlockSpace
from nasray.search_spaces.chain.space import SearchSpace

Choose = Callable[[str, tuple[str, ...]], str]
"""Takes one of a decision's options, given the decision's name and the options."""


class Choices(Protocol):
    """The decisions that make the architectures of a space."""

    def options(self) -> dict[str, tuple[str, ...]]:
        """The options of every decision by its name, whether or not an architecture needs all of them."""

    def decisions(self, architecture: str) -> dict[str, str]:
        """What an architecture decided, by the decisions' names.

        Raises:
            UserError: The text is no architecture of the space.
        """

    def assemble(self, choose: Choose) -> str:
        """The architecture that follows from what `choose` takes; it is asked only for what is needed."""


def choices_of(space: SearchSpace | CellSpace) -> Choices:
    """The decisions that make the architectures of `space`."""
    return ChainChoices(space) if isinstance(space, SearchSpace) else CellChoices(space)


@dataclass(frozen=True, slots=True)
class ChainChoices:
    """Of blocks in a row: each block's cell, and the operation of each of its layers.

    Layers at the same place of a block that choose from the same operations are one decision, whatever the cell, so
    that what was learned in one cell holds in the others.
    """

    space: SearchSpace

    def options(self) -> dict[str, tuple[str, ...]]:
        """The options of every decision by its name."""
        found: dict[str, tuple[str, ...]] = {}
        for k, block in enumerate(self.space.blocks):
            found[_cell(k)] = _cell_names(block)
            layers = (layer for cell in block.cells for layer in enumerate(cell.operations))
            found |= {_layer(k, number, operations): operations for number, operations in layers}
        return found

    def decisions(self, architecture: str) -> dict[str, str]:
        """What an architecture decided, by the decisions' names.

        Raises:
            UserError: The text is no architecture of the space.
        """
        parsed = Architecture.parse(architecture)
        self.space.check(parsed)
        made: dict[str, str] = {}
        for k, (block, candidate) in enumerate(zip(self.space.blocks, parsed.candidates, strict=True)):
            made[_cell(k)] = candidate.cell
            layers = enumerate(block.cell(candidate.cell).operations)
            names = [_layer(k, number, operations) for number, operations in layers]
            made |= dict(zip(names, candidate.operations, strict=True))
        return made

    def assemble(self, choose: Choose) -> str:
        """The architecture that follows from what `choose` takes."""
        candidates = []
        for k, block in enumerate(self.space.blocks):
            cell = block.cell(choose(_cell(k), _cell_names(block)))
            taken = [
                choose(_layer(k, number, operations), operations)
                for number, operations in enumerate(cell.operations)
            ]
            candidates.append(Candidate(cell.width, tuple(taken)))
        return str(Architecture(tuple(candidates)))


@dataclass(frozen=True, slots=True)
class CellChoices:
    """Of cells: which edges each node keeps, where it keeps some only, and the operation of each edge."""

    space: CellSpace

    def options(self) -> dict[str, tuple[str, ...]]:
        """The options of every decision by its name."""
        found: dict[str, tuple[str, ...]] = {}
        for kind, node, edges in self._nodes():
            found[_sources(kind, node)] = _selections(kind, edges)
            found |= {_edge(kind, node, edge.source): _operations(kind, edge) for edge in edges}
        return found

    def decisions(self, architecture: str) -> dict[str, str]:
        """What an architecture decided, by the decisions' names.

        Raises:
            UserError: The text is no architecture of the space.
        """
        genotype = self.space.parse(architecture)
        made: dict[str, str] = {}
        for kind, node, _ in self._nodes():
            chosen = genotype.cells[kind.name].nodes[node]
            made[_sources(kind, node)] = _selection(edge.source for edge in chosen)
            made |= {_edge(kind, node, edge.source): edge.operation for edge in chosen}
        return made

    def assemble(self, choose: Choose) -> str:
        """The architecture that follows from what `choose` takes."""
        cells: dict[str, list[tuple[ChosenEdge, ...]]] = {}
        for kind, node, edges in self._nodes():
            kept = choose(_sources(kind, node), _selections(kind, edges)).split(",")
            taken = [
                ChosenEdge(choose(_edge(kind, node, edge.source), _operations(kind, edge)), edge.source)
                for edge in edges
                if str(edge.source) in kept
            ]
            cells.setdefault(kind.name, []).append(tuple(taken))
        return str(Genotype({name: CellGenotype(tuple(nodes)) for name, nodes in cells.items()}))

    def _nodes(self) -> list[tuple[CellType, int, Sequence[CellEdge]]]:
        """All nodes of all cells, with the edges that may enter them."""
        return [
            (kind, node, edges) for kind in self.space.cell_types for node, edges in enumerate(kind.nodes)
        ]


def _cell(block: int) -> str:
    return f"block_{block}/cell"


def _cell_names(block: BlockSpace) -> tuple[str, ...]:
    return tuple(cell.name for cell in block.cells)


def _layer(block: int, number: int, operations: Sequence[str]) -> str:
    return f"block_{block}/layer_{number}/{','.join(operations)}"


def _sources(kind: CellType, node: int) -> str:
    return f"{kind.name}/node_{node}/sources"


def _edge(kind: CellType, node: int, source: int) -> str:
    return f"{kind.name}/node_{node}/from_{source}"


def _selection(sources: Iterable[int]) -> str:
    return ",".join(map(str, sources))


def _selections(kind: CellType, edges: Sequence[CellEdge]) -> tuple[str, ...]:
    """The ways to keep edges of a node, as their sources; one where all are kept."""
    num_kept = kind.edges_per_node or len(edges)
    return tuple(_selection(edge.source for edge in kept) for kept in itertools.combinations(edges, num_kept))


def _operations(kind: CellType, edge: CellEdge) -> tuple[str, ...]:
    return edge.operations if kind.edges_per_node is None else edge.kept_operations
