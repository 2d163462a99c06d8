"""Blocks that work at another size of maps than their surroundings.

A network for larger images has larger maps behind each block, with which those of a smaller one cannot be compared.
Here each block enlarges what it is given, works at its own size, and gives maps of the smaller network's size. The
network is trained so, and is cut where the sizes agree. Our own reading.
"""

import torch
from torch import nn
from torch.nn import functional as F

Size = tuple[int, int]


class Resize(nn.Module):
    """Maps made larger or smaller by linear interpolation, over all that a smaller one's pixel covers.

    As products of matrices, which are the same from run to run on every device, as torch's own interpolation is not.
    """

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, size: Size, new_size: Size) -> None:
        super().__init__()
        self.register_buffer("rows", _weights(size[0], new_size[0]), persistent=False)
        self.register_buffer("columns", _weights(size[1], new_size[1]).T.contiguous(), persistent=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps [B, C, *new_size] of maps [B, C, *size]."""
        return self.rows @ maps @ self.columns


def resized(block: nn.Module, *, entry: tuple[Size, Size], leave: tuple[Size, Size]) -> nn.Module:
    """The block, between interpolations where sizes differ.

    Args:
        block: What it is.
        entry: Height and width of what it is given, and of what enters the block.
        leave: Height and width of what the block puts out, and of what is given on.
    """
    before, behind = ([] if sizes[0] == sizes[1] else [Resize(*sizes)] for sizes in (entry, leave))
    return nn.Sequential(*before, block, *behind) if before or behind else block


def _weights(length: int, new_length: int) -> torch.Tensor:
    """What each of the new places takes from the old ones, [new_length, length]; rows add up to 1."""
    identity = torch.eye(length)[None, None]
    return F.interpolate(identity, (new_length, length), mode="bilinear", antialias=True)[0, 0]
