"""Between the teacher's features and a block's maps: 1x1 convolutions, and tokens laid out as maps.

A teacher that is a vision transformer has sequences [B, N, C] as features: first its class token, if any, and those
like it, then one token per place. Source: our own reading; the papers' teachers are convolutional.
"""

import math

import torch
from torch import Tensor, nn

MapShape = tuple[int, int, int]
MAX_EXTRA_TOKENS = 2  # a class token and a distillation token


class TokensToMaps(nn.Module):
    """The tokens of places as maps [B, C, H, W]; the tokens before them are left out."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self._size = height, width

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps of tokens [B, N, C]."""
        return tokens[:, -math.prod(self._size) :].transpose(1, 2).unflatten(2, self._size)


class MapsToTokens(nn.Module):
    """Maps as a sequence of tokens, behind tokens that are made of the maps' means."""

    def __init__(self, channels: int, num_extra: int) -> None:
        super().__init__()
        self.extra = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_extra))

    def forward(self, maps: Tensor) -> Tensor:
        """Tokens [B, num_extra + H * W, C] of maps [B, C, H, W]."""
        means = maps.mean((2, 3))
        extra = [linear(means)[:, None] for linear in self.extra]
        return torch.cat([*extra, maps.flatten(2).transpose(1, 2)], dim=1)


def entry_adapter(teacher_shape: tuple[int, ...], shape: MapShape, *, always: bool) -> nn.Module:
    """From the teacher's features to the maps (C, H, W) that enter a block.

    Args:
        teacher_shape: The features of one image, (C, H, W) or (N, C).
        shape: What enters the block.
        always: Whether there is a 1x1 convolution even where the channels agree.
    """
    if len(teacher_shape) == 3:
        return _pointwise(teacher_shape[0], shape[0], always=always)
    return nn.Sequential(TokensToMaps(*shape[1:]), _pointwise(teacher_shape[1], shape[0], always=always))


def exit_adapter(shape: MapShape, teacher_shape: tuple[int, ...], *, always: bool) -> nn.Module:
    """From the maps (C, H, W) that a block puts out to what the teacher has there; otherwise as `entry_adapter`."""
    if len(teacher_shape) == 3:
        return _pointwise(shape[0], teacher_shape[0], always=always)
    num_tokens, channels = teacher_shape
    return nn.Sequential(
        _pointwise(shape[0], channels, always=always),
        MapsToTokens(channels, num_tokens - math.prod(shape[1:])),
    )


def can_be_adapted(teacher_shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether the teacher's features can be compared with maps of that height and width."""
    if len(teacher_shape) == 3:
        return teacher_shape[1:] == size
    return len(teacher_shape) == 2 and 0 <= teacher_shape[0] - math.prod(size) <= MAX_EXTRA_TOKENS


def describe(teacher_shape: tuple[int, ...]) -> str:
    """The size of features in words."""
    if len(teacher_shape) == 2:
        return f"{teacher_shape[0]} tokens, not one for each place behind at most {MAX_EXTRA_TOKENS} others"
    return "x".join(map(str, teacher_shape[1:])) or "vectors"


def _pointwise(in_channels: int, out_channels: int, *, always: bool) -> nn.Module:
    needed = always or in_channels != out_channels
    return nn.Conv2d(in_channels, out_channels, 1) if needed else nn.Identity()
