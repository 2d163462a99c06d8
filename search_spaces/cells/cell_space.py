"""A cell space: a fixed skeleton of repeated cells, whose wiring and operations are chosen."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from nasray.errors import UserError
from nasray.search_spaces.cells.cell_network import BuildCell, CellNetwork, DiscreteCell
from nasray.search_spaces.cells.cell_operations import check_known
from nasray.search_spaces.cells.cell_type import CellType
from nasray.search_spaces.cells.genotype import Genotype
from nasray.search_spaces.costs.cost import Cost, measure
from nasray.search_spaces.operations.layer import Shape

_MIN_SIZE = 8


class Skeleton(Protocol):
    """What a space's network is made by."""

    def __call__(self, space: "CellSpace", build_cell: BuildCell, *, affine: bool) -> CellNetwork:
        """The network around the cells of `build_cell`; `affine` tells whether norms at the cells have weights."""


@dataclass(frozen=True, slots=True, eq=False)
class CellSpace:
    """All architectures that choose one genotype per type of cell, and how each is built and what it costs.

    Attributes:
        name: What the space is called in reports.
        input_shape: The images, (C, H, W), at least 8 pixels high and wide.
        num_classes: Classes that the head tells apart.
        channels: Channels of a node in the first cells.
        num_cells: How many cells, as the skeleton counts them.
        cell_types: The kinds of cells; all cells of a kind are the same.
        skeleton: What stands around the cells.
        pooling_has_norm: Whether a supernet puts a batch norm behind its pooling operations.
    """

    name: str
    input_shape: Shape
    num_classes: int
    channels: int
    num_cells: int
    cell_types: tuple[CellType, ...]
    skeleton: Skeleton
    pooling_has_norm: bool

    def __post_init__(self) -> None:
        channels, height, width = self.input_shape
        if channels < 1 or min(height, width) < _MIN_SIZE:
            raise UserError(
                f"images of space {self.name} must have channels and be at least {_MIN_SIZE} pixels high and wide,"
                f" got {self.input_shape}"
            )
        for key in ("num_classes", "channels", "num_cells"):
            if getattr(self, key) < 1:
                raise UserError(f"{key} must be at least 1, got {getattr(self, key)}")
        for cell_type in self.cell_types:
            for edge in cell_type.edges:
                for name in edge.operations:
                    check_known(name)

    @property
    def num_architectures(self) -> int:
        """Number of different genotypes, exact however large; isomorphic cells count apart."""
        return math.prod(cell_type.num_genotypes for cell_type in self.cell_types)

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A genotype drawn uniformly from all."""
        return Genotype({cell_type.name: cell_type.sample(rng) for cell_type in self.cell_types})

    def check(self, genotype: Genotype) -> None:
        """Holds `genotype` to this space.

        Raises:
            UserError: If it is not of this space; the text names cell and node and what is allowed.
        """
        names = [cell_type.name for cell_type in self.cell_types]
        if list(genotype.cells) != names:
            raise UserError(
                f"a genotype of space {self.name} must have the cells {', '.join(names)} in that order,"
                f" got {', '.join(genotype.cells)}"
            )
        for cell_type in self.cell_types:
            cell_type.check(genotype.cells[cell_type.name])

    def parse(self, text: str) -> Genotype:
        """The genotype of this space that `text` names.

        Raises:
            UserError: If the text names none, or it is not of this space, see `check`.
        """
        genotype = Genotype.parse(text)
        self.check(genotype)
        return genotype

    def build(self, genotype: Genotype | str) -> CellNetwork:
        """The network of `genotype`, given also as its text, freshly initialised.

        Raises:
            UserError: If the genotype is not of this space, see `check`.
        """
        parsed = Genotype.parse(genotype) if isinstance(genotype, str) else genotype
        self.check(parsed)
        return self.skeleton(
            self,
            lambda cell_type, channels: DiscreteCell(cell_type, parsed.cells[cell_type.name], channels),
            affine=True,
        )

    def build_around(self, build_cell: BuildCell) -> CellNetwork:
        """The network of a supernet: the skeleton around cells of one's own; norms at the cells are not affine."""
        return self.skeleton(self, build_cell, affine=False)

    def cost(self, genotype: Genotype | str) -> Cost:
        """Parameters and MACs of the network of `genotype`, given also as its text; operations without effect count.

        Raises:
            UserError: If the genotype is not of this space, see `check`.
        """
        with torch.device("meta"):
            network = self.build(genotype)
        return measure(network, self.input_shape)
