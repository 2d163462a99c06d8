"""Genotypes: what an architecture of a cell space chose for its cells, and the texts that identify them everywhere.

Source: the text of a cell is that of NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326). For spaces with
several cells we put the cells' names before them [our reading].
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from nasray.errors import UserError
from nasray.search_spaces.architecture import check_operation_name

ONLY_CELL = "cell"
_EDGE = re.compile(r"([^~|]+)~(0|[1-9][0-9]*)")
_CELL_NAME = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class ChosenEdge:
    """An operation on what one source of a node puts out.

    Attributes:
        operation: Its name, such as "nor_conv_3x3".
        source: Number of the source: the cell's inputs come first, then its nodes.
    """

    operation: str
    source: int

    def __post_init__(self) -> None:
        check_operation_name(self.operation)
        if self.source < 0:
            raise UserError(f"an edge's source must be at least 0, got {self.source}")

    def __str__(self) -> str:
        return f"{self.operation}~{self.source}"


@dataclass(frozen=True, slots=True)
class CellGenotype:
    """What one cell chose: per node, the edges that are summed, in ascending order of their sources."""

    nodes: tuple[tuple[ChosenEdge, ...], ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise UserError("a cell must have at least one node, got none")
        for number, edges in enumerate(self.nodes):
            sources = [edge.source for edge in edges]
            if not sources:
                raise UserError(f"node {number} must have at least one edge, got none")
            if sources != sorted(set(sources)):
                raise UserError(f"the sources of node {number} must ascend, got {sources}")

    def __str__(self) -> str:
        return "+".join(f"|{'|'.join(map(str, edges))}|" for edges in self.nodes)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cell that `str` wrote as `text`.

        Raises:
            UserError: If `text` is not written like "|skip_connect~0|+|none~0|nor_conv_3x3~1|".
        """
        return cls(tuple(_parse_node(part, text) for part in text.split("+")))


@dataclass(frozen=True, slots=True)
class Genotype:
    """The cells of an architecture by name; `str` of it is its ID.

    A space's only cell is named "cell", and stands in the text without its name; else the text is written like
    "normal:|...|+|...|/reduction:|...|+|...|".
    """

    cells: Mapping[str, CellGenotype]

    def __post_init__(self) -> None:
        if not self.cells:
            raise UserError("a genotype must have at least one cell, got none")
        for name in self.cells:
            if _CELL_NAME.fullmatch(name) is None:
                raise UserError(f'a cell\'s name must be made of small letters and "_", got {name!r}')

    def __str__(self) -> str:
        if list(self.cells) == [ONLY_CELL]:
            return str(self.cells[ONLY_CELL])
        return "/".join(f"{name}:{cell}" for name, cell in self.cells.items())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The genotype that `str` wrote as `text`.

        Raises:
            UserError: If one of the cells is not written as it must be, or stands there twice.
        """
        if ":" not in text:
            return cls({ONLY_CELL: CellGenotype.parse(text)})
        cells: dict[str, CellGenotype] = {}
        for part in text.split("/"):
            name, colon, cell = part.partition(":")
            if not colon or name in cells:
                raise UserError(
                    f'a genotype of several cells is written like "normal:|...|/reduction:|...|", got {text!r}'
                )
            cells[name] = CellGenotype.parse(cell)
        return cls(cells)


def _parse_node(text: str, cell: str) -> tuple[ChosenEdge, ...]:
    edges = [_EDGE.fullmatch(part) for part in text[1:-1].split("|")]
    if len(text) < 2 or text[0] != "|" or text[-1] != "|" or None in edges:
        raise UserError(
            f'a cell is written like "|skip_connect~0|+|none~0|nor_conv_3x3~1|", got {text!r} in {cell!r}'
        )
    return tuple(ChosenEdge(edge[1], int(edge[2])) for edge in edges if edge is not None)
