"""Candidates and architectures, and the texts that identify them everywhere: file names, tables, logs."""

import re
from dataclasses import dataclass
from typing import Self

from nasray.errors import UserError

SEPARATOR = "/"
"""Between the candidates in an architecture's text."""

_OPERATION = re.compile(r"[A-Za-z0-9_.]+")
_CANDIDATE = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*):(.+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One path through a block: the width of its layers and one operation per layer.

    Attributes:
        width: Channels that every layer of the candidate puts out.
        operations: Names of the operations, first layer first.
    """

    width: int
    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"a candidate's width must be at least 1, got {self.width}")
        if not self.operations:
            raise UserError("a candidate must have at least one operation, got none")
        for operation in self.operations:
            check_operation_name(operation)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.operations)

    @property
    def cell(self) -> str:
        """Name of the cell the candidate belongs to, such as "2x24" for two layers of 24 channels."""
        return cell_name(self.depth, self.width)

    def __str__(self) -> str:
        return f"{self.cell}:{','.join(self.operations)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The candidate that `str` wrote as `text`.

        Raises:
            UserError: If `text` is not written like "2x24:mb3k3,mb6k5", with as many operations as layers.
        """
        match = _CANDIDATE.fullmatch(text)
        if match is None:
            raise UserError(f'a candidate is written like "2x24:mb3k3,mb6k5", got {text!r}')
        depth, width, operations = int(match[1]), int(match[2]), tuple(match[3].split(","))
        if depth != len(operations):
            raise UserError(f"candidate {text!r} must name {depth} operations, it names {len(operations)}")
        return cls(width, operations)


@dataclass(frozen=True, slots=True)
class Architecture:
    """One candidate per block, first block first; `str` of it is its ID."""

    candidates: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        if not self.candidates:
            raise UserError("an architecture must have at least one candidate, got none")

    def __str__(self) -> str:
        return SEPARATOR.join(map(str, self.candidates))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The architecture that `str` wrote as `text`.

        Raises:
            UserError: If one of the parts between the slashes is not a candidate.
        """
        return cls(tuple(Candidate.parse(part) for part in text.split(SEPARATOR)))


def cell_name(depth: int, width: int) -> str:
    """Name of the cell of `depth` layers of `width` channels, such as "2x24"."""
    return f"{depth}x{width}"


def check_operation_name(name: str) -> None:
    """Holds operation names to what the text of a candidate can carry.

    Raises:
        UserError: If `name` has other characters than letters, digits, "_" and ".", or none.
    """
    if _OPERATION.fullmatch(name) is None:
        raise UserError(f'an operation\'s name must be made of letters, digits, "_" and ".", got {name!r}')
