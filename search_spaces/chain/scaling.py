"""An architecture of a space, scaled: wider, deeper, and for larger images.

Source: compound scaling and the rounding of widths and depths are those of EfficientNet (Tan and Le, ICML 2019, arXiv
1905.11946) and its published code. Our own reading, for what is not an EfficientNet: a deeper cell repeats its last
layers, layers that do nothing are not counted; and a network for larger images takes the same images, see `resizing`.
"""

import math
from dataclasses import replace
from itertools import cycle, islice

import torch
from torch import nn

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.network import Network
from nasray.search_spaces.chain.resizing import Size, resized
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer
from nasray.search_spaces.operations.shipped import Operation
from nasray.search_spaces.settings import ScalingConfig


def scaled_space(space: SearchSpace, architecture: Architecture, scaling: ScalingConfig) -> SearchSpace:
    """A space of one architecture, the given one of `space` scaled: for larger images, of wider and deeper blocks.

    Raises:
        UserError: The architecture is not of the space.
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
        UserError: The architecture is not of the space.
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
