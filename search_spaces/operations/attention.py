"""Transformer layers on maps: operations like all others, so that they stand beside convolutions in one cell.

A map [B, C, H, W] is a sequence of H * W tokens of C features, in the order of its rows. There is no class token:
architectures end in the pooling of `network.Head`. Where tokens stand is told by depthwise convolutions, which suit any
height and width, in the patch embedding and in layers that change the shape.

Source: the encoder layer is that of ViT (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929), normalised first, with heads
of a fixed size as in AutoFormer (Chen et al., ICCV 2021, arXiv 2107.00651), so that more heads are more computation.
Positions by a depthwise convolution: CPVT (Chu et al., arXiv 2102.10882). The convolution between the layers of the
perceptron: CeiT (Yuan et al., arXiv 2103.11816). Deviations [our reading]: CeiT's has norms around it, ours has none;
each branch ends in a scale per channel (LayerScale: Touvron et al., arXiv 2103.17239) that starts at 1, or at 0 where
`zero_init_residual` asks for it.
"""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from nasray.search_spaces.operations.shipped import Operation


class ChannelScale(nn.Module):
    """One learned factor per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [..., C], scaled."""
        return tokens * self.weight


class ScaledResidual(nn.Module):
    """A branch behind a layer norm, added to its input; it begins where `residual_norm` says, see `operations`."""

    residual_norm = "scale"

    def __init__(self, branch: nn.Module, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.branch = branch
        self.scale = ChannelScale(channels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [B, H, W, C]."""
        return tokens + self.scale(self.branch(self.norm(tokens)))


class SelfAttention(nn.Module):
    """Every token looks at all tokens of its image, in several heads."""

    def __init__(self, channels: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(channels, 3 * heads * head_size)
        self.projection = nn.Linear(heads * head_size, channels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [B, H, W, C]."""
        projected = self.query_key_value(tokens).flatten(1, 2).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)  # [B, heads, H * W, head size] each
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.projection(mixed.transpose(1, 2).flatten(2)).view(tokens.shape)


class Perceptron(nn.Module):
    """Two linear layers on every token, with a depthwise convolution over its neighbours between them, or none."""

    def __init__(self, channels: int, ratio: int, *, convolution: bool) -> None:
        super().__init__()
        hidden = channels * ratio
        self.expand = nn.Linear(channels, hidden)
        self.depthwise = Depthwise(hidden) if convolution else nn.Identity()
        self.project = nn.Linear(hidden, channels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [B, H, W, C]."""
        return self.project(F.gelu(self.depthwise(self.expand(tokens))))


class Depthwise(nn.Module):
    """What a 3x3 convolution of each channel says of a token's neighbourhood, added to the token."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [B, H, W, C]."""
        return tokens + self.convolution(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class TransformerLayer(nn.Module):
    """Attention and perceptron on maps; where the shape changes, tokens are made anew by a convolution first."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        *,
        heads: int,
        head_size: int,
        ratio: int,
        convolution: bool = False,
    ) -> None:
        super().__init__()
        same = stride == 1 and in_channels == out_channels
        self.merging = nn.Identity() if same else TokenMerging(in_channels, out_channels, stride)
        self.attention = ScaledResidual(SelfAttention(out_channels, heads, head_size), out_channels)
        self.perceptron = ScaledResidual(
            Perceptron(out_channels, ratio, convolution=convolution), out_channels
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [B, out_channels, ceil(H / stride), ceil(W / stride)] of maps [B, in_channels, H, W]."""
        tokens = self.merging(x).permute(0, 2, 3, 1)
        return self.perceptron(self.attention(tokens)).permute(0, 3, 1, 2)


class TokenMerging(nn.Module):
    """A convolution that makes tokens of maps, or fewer and wider tokens of tokens, and tells them where they are.

    Source: overlapping convolutions as token embedding, CvT (Wu et al., ICCV 2021, arXiv 2103.15808).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, kernel_size: int = 3) -> None:
        super().__init__()
        padding = 0 if kernel_size == stride else kernel_size // 2
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.norm = nn.LayerNorm(out_channels)
        self.position = Depthwise(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [B, out_channels, H', W'] of maps [B, in_channels, H, W]."""
        tokens = self.norm(self.convolution(x).permute(0, 2, 3, 1))
        return self.position(tokens).permute(0, 3, 1, 2)


def patch_embedding(in_channels: int, out_channels: int, stride: int) -> TokenMerging:
    """One token per patch of stride x stride pixels, which height and width must be multiples of."""
    return TokenMerging(in_channels, out_channels, stride, kernel_size=stride)


ATTENTION_OPERATIONS: dict[str, Operation] = {
    "patch": patch_embedding,
    **{
        f"att{heads}x{size}r{ratio}{suffix}": partial(
            TransformerLayer, heads=heads, head_size=size, ratio=ratio, convolution=suffix == "c"
        )
        for suffix in ("", "c")
        for size in (16, 64)
        for heads in (1, 2, 3, 4, 6)
        for ratio in (2, 4)
    },
}
