"""A network as it is trained and used: the blocks of an architecture and a classification head."""

from collections.abc import Iterable

import torch
from torch import nn
from torchvision.ops import Conv2dNormActivation


class Network(nn.Module):
    """Blocks in a row and a head; `blocks.0`, `blocks.1`, ... name the points where it can be cut."""

    def __init__(self, blocks: Iterable[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [B, num_classes] of `images` [B, C, H, W]."""
        x = images
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Head(nn.Sequential):
    """From the last block's maps [B, C, H, W] to logits [B, num_classes]."""

    def __init__(self, in_channels: int, width: int | None, dropout: float, num_classes: int) -> None:
        """Head for maps of `in_channels`, which a 1x1 convolution takes to `width` first, if given."""
        layers: list[nn.Module] = []
        if width is not None:
            layers.append(Conv2dNormActivation(in_channels, width, 1, activation_layer=nn.SiLU))
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)]
        layers.append(nn.Linear(width or in_channels, num_classes))
        super().__init__(*layers)
