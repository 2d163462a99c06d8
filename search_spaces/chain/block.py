"""A block of a search space: its stride, its cells, and the enumeration of their candidates."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nasray.errors import UserError
from nasray.search_spaces.architecture import Candidate, cell_name, check_operation_name


@dataclass(frozen=True, slots=True)
class Cell:
    """One choice of depth and width for a block, with the operations that each of its layers chooses from.

    Attributes:
        depth: Number of layers.
        width: Channels that every layer puts out.
        operations: Per layer, the names of its choices; their order is the order of the candidates.
    """

    depth: int
    width: int
    operations: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if self.depth < 1 or self.width < 1:
            raise UserError(f"a cell's depth and width must be at least 1, got {self.name}")
        if len(self.operations) != self.depth:
            raise UserError(
                f"cell {self.name} must list operations for {self.depth} layers, got {len(self.operations)}"
            )
        for layer, choices in enumerate(self.operations):
            if not choices:
                raise UserError(
                    f"layer {layer} of cell {self.name} must have at least one operation, got none"
                )
            if len(set(choices)) != len(choices):
                raise UserError(
                    f"layer {layer} of cell {self.name} must name an operation once, got {', '.join(choices)}"
                )
            for choice in choices:
                check_operation_name(choice)

    @property
    def name(self) -> str:
        """The cell's name, such as "2x24" for two layers of 24 channels."""
        return cell_name(self.depth, self.width)

    @property
    def num_candidates(self) -> int:
        """Number of paths through the cell, exact however large."""
        return math.prod(map(len, self.operations))

    def candidates(self) -> Iterator[Candidate]:
        """Every candidate, in lexicographic order of the choices."""
        for operations in itertools.product(*self.operations):
            yield Candidate(self.width, operations)


@dataclass(frozen=True, slots=True)
class BlockSpace:
    """All that a block may be: a stride, taken by the first layer, and one cell out of several.

    Attributes:
        stride: By how much the block shrinks height and width.
        cells: The choices of depth and width; their order is the order of the candidates.
    """

    stride: int
    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise UserError(f"a block's stride must be at least 1, got {self.stride}")
        if not self.cells:
            raise UserError("a block must have at least one cell, got none")
        names = [cell.name for cell in self.cells]
        if len(set(names)) != len(names):
            raise UserError(f"the cells of a block must differ in depth or width, got {', '.join(names)}")

    @property
    def num_candidates(self) -> int:
        """Number of candidates of all cells, exact however large."""
        return sum(cell.num_candidates for cell in self.cells)

    @property
    def widths(self) -> tuple[int, ...]:
        """The different widths at which the block may be left, ascending."""
        return tuple(sorted({cell.width for cell in self.cells}))

    def cell(self, name: str) -> Cell:
        """The cell of that name.

        Raises:
            UserError: If the block has no such cell.
        """
        for cell in self.cells:
            if cell.name == name:
                return cell
        raise UserError(f"cell must be one of {', '.join(cell.name for cell in self.cells)}, got {name!r}")

    def candidates(self) -> Iterator[Candidate]:
        """Every candidate in canonical order: cell by cell, in each lexicographic in the choices."""
        return itertools.chain.from_iterable(cell.candidates() for cell in self.cells)

    def index(self, candidate: Candidate) -> int:
        """Position of `candidate` in the canonical order.

        Raises:
            UserError: If the block has no such candidate; the text says what it allows instead.
        """
        cell = self.cell(candidate.cell)
        position = 0
        for layer, (operation, choices) in enumerate(zip(candidate.operations, cell.operations, strict=True)):
            if operation not in choices:
                raise UserError(
                    f"layer {layer} of {cell.name} must be one of {', '.join(choices)}, got {operation!r}"
                )
            position = position * len(choices) + choices.index(operation)
        before = itertools.takewhile(lambda other: other is not cell, self.cells)
        return position + sum(other.num_candidates for other in before)

    def candidate(self, index: int) -> Candidate:
        """The candidate at position `index` of the canonical order.

        Raises:
            UserError: If there is no such position.
        """
        if not 0 <= index < self.num_candidates:
            raise UserError(f"a candidate's index must be in [0, {self.num_candidates}), got {index}")
        for cell in self.cells:
            if index < cell.num_candidates:
                break
            index -= cell.num_candidates
        operations = []
        for choices in reversed(cell.operations):
            index, choice = divmod(index, len(choices))
            operations.append(choices[choice])
        return Candidate(cell.width, tuple(reversed(operations)))

    def sample(self, rng: np.random.Generator) -> Candidate:
        """A candidate drawn uniformly from all of the block's, so that a large cell is drawn more often."""
        shares = [cell.num_candidates / self.num_candidates for cell in self.cells]
        cell = self.cells[rng.choice(len(self.cells), p=shares)]
        return Candidate(
            cell.width, tuple(choices[rng.integers(len(choices))] for choices in cell.operations)
        )
