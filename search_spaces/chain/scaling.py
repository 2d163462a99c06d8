"""An architecture of a space, scaled: wider, deeper, and for larger images.

Source: compound scaling and the rounding of widths and depths are those of EfficientNet (Tan and Le, ICML 2019, arXiv
1905.11946) and its published code. Our own reading, for what is not an EfficientNet: a deeper cell repeats its last
layers, layers that do nothing are not counted; and a network for larger images takes the same images, see `resizing`.
"""

import math
from dataclasses import replace
from itertools import cycle, islice

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.network import Network
from nasray.search_spaces.chain.resizing import Size, resized
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer
from nasray.search_spaces.operations.shipped import Operation

_LEAST_SHARE = 0.9  # of a width that rounding leaves


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


def scaled_space(space: SearchSpace, architecture: Architecture, scaling: ScalingConfig) -> SearchSpace:
    """A space of one architecture, the given one of `space` scaled: for larger images, of wider and deeper blocks.

    Raises:
        ValueError: The architecture is not of the space.
    """
    space.check(architecture)
    stride = math.prod(layer.stride for layer in space.stem)
    channels, *size = space.input_shape
    height, width = (scaling.scale_size(length, stride) for length in size)
    blocks = (
        BlockSpace(block.stride, (_cell(candidate, space, scaling),))
        for block, candidate in zip(space.blocks, architecture.candidates, strict=True)
    )
    return replace(
        space,
        name=f"{space.name}_scaled",
        input_shape=(channels, height, width),
        stem=tuple(
            Layer(layer.operation, scaling.scale_width(layer.width), layer.stride) for layer in space.stem
        ),
        head_width=None if space.head_width is None else scaling.scale_width(space.head_width),
        blocks=tuple(blocks),
    )


def build_scaled(space: SearchSpace, architecture: Architecture, scaling: ScalingConfig | None) -> Network:
    """The network of an architecture of `space`, scaled, that takes the space's images, freshly initialised.

    Its blocks put out maps as high and wide as those of all networks of the space, so that it can teach their blocks.

    Raises:
        ValueError: The architecture is not of the space.
    """
    if scaling is None:
        return space.build(architecture)
    larger = scaled_space(space, architecture, scaling)
    network = larger.build(Architecture(tuple(block.candidate(0) for block in larger.blocks)))
    given, own = _map_sizes(space), _map_sizes(larger)
    blocks = [
        resized(block, entry=(given[k], own[k]), leave=(own[k + 1], given[k + 1]))
        for k, block in enumerate(network.blocks)
    ]
    return Network(blocks, network.head)


def _map_sizes(space: SearchSpace) -> list[Size]:
    """Height and width of the images and of what each block puts out."""
    shapes = [
        space.input_shape,
        *(space.block_output_shape(k, block.widths[0]) for k, block in enumerate(space.blocks)),
    ]
    return [(height, width) for _, height, width in shapes]


def _cell(candidate: Candidate, space: SearchSpace, scaling: ScalingConfig) -> Cell:
    """The cell of one candidate, scaled."""
    first, *rest = candidate.operations
    layers = [first, *(name for name in rest if not _does_nothing(space.operations[name], candidate.width))]
    extra = scaling.scale_depth(len(layers)) - len(layers)
    last = layers[-extra:] if extra else []
    layers += islice(cycle(last), extra)
    return Cell(len(layers), scaling.scale_width(candidate.width), tuple((name,) for name in layers))


def _does_nothing(operation: Operation, width: int) -> bool:
    """Whether a layer behind a block's first gives what it is given."""
    with torch.device("meta"):
        return isinstance(operation(width, width, 1), nn.Identity)
