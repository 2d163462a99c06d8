"""The settings of search spaces: which one is searched, and by how much an architecture of it is scaled."""

import math
from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasray.errors import UserError

CELL_SPACES = ("nasbench201", "darts_s0", "darts_s1", "darts_s2", "darts_s3", "darts_s4")
"""The names of the shipped spaces of cells."""
ONLY_CELLS = ("channels", "num_cells")
"""The fields that only these take."""
_ONLY_DECLARED = ("stem", "head_width", "dropout", "operations", "blocks")
_LEAST_SHARE = 0.9  # of a width that rounding leaves


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StemLayerConfig(_Strict):
    """One layer before the first block."""

    operation: str
    width: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)


class CellConfig(_Strict):
    """One choice of depth and width for a block.

    Attributes:
        depth: Number of layers.
        width: Channels that every layer puts out.
        operations: The choices, the same for every layer or a list of them per layer; None takes the block's.
    """

    depth: int = Field(ge=1)
    width: int = Field(ge=1)
    operations: list[str] | list[list[str]] | None = None


class BlockConfig(_Strict):
    """The choices of one block.

    Attributes:
        stride: By how much the block shrinks height and width.
        operations: The choices of each layer of those cells that name none of their own.
        cells: The choices of depth and width.
    """

    stride: int = Field(ge=1)
    operations: list[str] | None = None
    cells: list[CellConfig] = Field(min_length=1)


class SpaceConfig(_Strict):
    """Which search space to use.

    Attributes:
        source: Blocks in a row, "dna", "dna_one_cell", "digits", "small_images", or of transformer layers, "vit",
            "vit_digits"; made of cells, "nasbench201", "darts_s0" (the space of DARTS) or "darts_s1" to "darts_s4"
            (those of RobustDARTS); "module:attribute", a SearchSpace or CellSpace or a function (input_shape,
            num_classes) that returns one; or "declared", made of the fields below.
        stem: Layers before the first block.
        head_width: Channels of the 1x1 convolution before the pooling; None for no such convolution.
        dropout: Probability of dropping a feature before the classifier.
        operations: A user's own operations, by name, as "module:callable"; the shipped ones are there anyway. A module
            that runs what cannot be counted may tell its multiply-accumulates by a method `num_macs(input_shape)`, for
            one image (C, H, W).
        blocks: The blocks, first one first.
        channels: Of a shipped space of cells: channels of a node in the first cells; None: 16.
        num_cells: Of a shipped space of cells: for nasbench201 the cells of each of the three stages, None: 5; for
            DARTS's spaces the cells in all, None: 8.
    """

    source: str
    stem: list[StemLayerConfig] = []
    head_width: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    operations: dict[str, str] = {}
    blocks: list[BlockConfig] = []
    channels: int | None = Field(default=None, ge=1)
    num_cells: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fields_belong_to_source(self) -> Self:
        self._allow_only(_ONLY_DECLARED, ["declared"])
        self._allow_only(ONLY_CELLS, CELL_SPACES)
        if self.source == "declared" and not self.blocks:
            raise UserError("source: declared must list at least one block under blocks, got none")
        return self

    def _allow_only(self, names: Sequence[str], sources: Sequence[str]) -> None:
        """Refuses fields that are given though the source is none of those that they belong to."""
        fields = type(self).model_fields
        given = sorted(name for name in names if getattr(self, name) != fields[name].default)
        if given and self.source not in sources:
            raise UserError(
                f"only source: {' or '.join(sources)} takes {', '.join(given)}, got source: {self.source};"
                f" remove {'it' if len(given) == 1 else 'them'} or set source: {sources[0]}"
            )


class ScalingConfig(BaseModel):
    """By how much a network grows: by the `power`-th powers of three factors, which are EfficientNet's by default.

    Attributes:
        width: Of channels, rounded to the nearest multiple of `divisor`, but to no less than 90%; 1: as they are.
        depth: Of each block's layers, rounded up.
        resolution: Of height and width, rounded to the nearest multiple of the stem's stride; 1: as they are.
        power: How often the factors are taken; 0: nothing grows.
        divisor: What widths are multiples of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: float = Field(default=1.1, ge=1)
    depth: float = Field(default=1.2, ge=1)
    resolution: float = Field(default=1.15, ge=1)
    power: float = Field(default=1.0, ge=0)
    divisor: int = Field(default=8, ge=1)

    def scale_width(self, width: int) -> int:
        """As many channels, scaled."""
        factor = self.width**self.power
        if factor == 1:
            return width
        rounded = max(1, int(width * factor / self.divisor + 0.5)) * self.divisor
        return rounded if rounded >= _LEAST_SHARE * width * factor else rounded + self.divisor

    def scale_depth(self, depth: int) -> int:
        """As many layers, scaled."""
        return math.ceil(round(depth * self.depth**self.power, 9))  # 5 * 1.2 is 6

    def scale_size(self, size: int, stride: int) -> int:
        """A height or width in pixels, scaled, in front of a stem of that stride."""
        factor = self.resolution**self.power
        return size if factor == 1 else max(size, int(size * factor / stride + 0.5) * stride)
