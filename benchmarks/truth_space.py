"""A space small enough to train every architecture of it: 343 networks for Fashion-MNIST at 14 x 14 pixels.

Three blocks of seven candidates each. Its operations disagree with their costs on purpose: a plain 3x3 convolution
takes more MACs than an inverted bottleneck at the same width, a 1x1 convolution sees nothing around it; and the second
block's two cells differ in width, so that adapters and entry widths take part.
"""

from collections import OrderedDict
from pathlib import Path

from torch import nn

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer, Shape
from nasray.search_spaces.operations.shipped import OPERATIONS
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.training import TrainConfig

DATA = DataConfig(source="fashion_mnist", image_size=14, num_train_images=6000, num_held_out_images=2000)
TRAINING = TrainConfig(epochs=8, batch_size=128, lr=0.15)
COMPUTE = ComputeConfig(device="cpu")
SEEDS = (0, 1)
TABLE = Path(__file__).with_name("truth.csv")


def truth_space(input_shape: Shape, num_classes: int) -> SearchSpace:
    """The space, for images of that shape."""
    return SearchSpace(
        name="truth",
        input_shape=input_shape,
        num_classes=num_classes,
        stem=(Layer("conv3", 12, 1),),
        head_width=64,
        dropout=0.0,
        blocks=(_block(2, 16, 16), _block(2, 24, 32), _block(1, 40, 40)),
        operations=dict(OPERATIONS),
    )


def foreign_teacher(input_shape: Shape, num_classes: int) -> nn.Module:
    """A plain network, like none of the space, whose maps have the sizes of its blocks' but other widths."""

    def part(in_channels: int, out_channels: int, stride: int) -> nn.Module:
        layers: list[nn.Module] = []
        for channels, step in ((in_channels, stride), (out_channels, 1)):
            layers += [nn.Conv2d(channels, out_channels, 3, step, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(out_channels), nn.ReLU()]
        return nn.Sequential(*layers)

    parts = {"low": part(input_shape[0], 32, 2), "middle": part(32, 64, 2), "high": part(64, 128, 1)}
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, num_classes))
    return nn.Sequential(OrderedDict(parts, head=head))


def _block(stride: int, width: int, deep_width: int) -> BlockSpace:
    """One layer of three operations, or two layers of two."""
    one_layer = Cell(1, width, (("conv1", "conv3", "mb3k3"),))
    two_layers = Cell(2, deep_width, (("conv1", "mb3k3"),) * 2)
    return BlockSpace(stride, (one_layer, two_layers))
