"""The space of NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): 6,561 networks whose accuracies are published.

Eight layers in three stages for images of 32 x 32 pixels; each is the identity (with a 1x1 convolution where the shape
changes), an inverted residual 3x3 with expansion 3, or one 5x5 with expansion 6, with ReLUs. The benchmark's name of a
network is a digit per layer, 0, 1 or 2.
"""

from collections.abc import Mapping
from functools import partial

from torch import nn
from torchvision.ops import Conv2dNormActivation

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import Operation, Residual, skip

STAGES = ((2, 64), (3, 128), (3, 256))  # layers and channels
CHOICES = ("skip", "mb3k3_relu", "mb6k5_relu")
NUM_CHOSEN = sum(depth for depth, _ in STAGES)


def macro_space(input_shape: Shape, num_classes: int) -> SearchSpace:
    """The space, for images of that shape."""
    return SearchSpace(
        name="nas_bench_macro",
        input_shape=input_shape,
        num_classes=num_classes,
        stem=(Layer("conv3_relu", 32, 1),),
        head_width=1280,
        dropout=0.0,
        blocks=tuple(BlockSpace(2, (Cell(depth, width, (CHOICES,) * depth),)) for depth, width in STAGES),
        operations=_operations(),
    )


def architecture(name: str) -> Architecture:
    """The network that the benchmark calls `name`."""
    digits = iter(name)
    return Architecture(
        tuple(
            Candidate(width, tuple(CHOICES[int(next(digits))] for _ in range(depth)))
            for depth, width in STAGES
        )
    )


def _operations() -> Mapping[str, Operation]:
    return {
        "skip": skip,
        "conv3_relu": lambda in_channels, out_channels, stride: Conv2dNormActivation(
            in_channels, out_channels, 3, stride
        ),
        "mb3k3_relu": partial(_inverted_residual, expansion=3, kernel_size=3),
        "mb6k5_relu": partial(_inverted_residual, expansion=6, kernel_size=5),
    }


def _inverted_residual(
    in_channels: int, out_channels: int, stride: int, *, expansion: int, kernel_size: int
) -> nn.Module:
    hidden = expansion * in_channels
    branch = nn.Sequential(
        Conv2dNormActivation(in_channels, hidden, 1),
        Conv2dNormActivation(hidden, hidden, kernel_size, stride, groups=hidden),
        Conv2dNormActivation(hidden, out_channels, 1, activation_layer=None),
    )
    return Residual(branch, in_channels, out_channels, stride)
