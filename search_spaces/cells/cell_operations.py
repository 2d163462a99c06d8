"""The operations of the cell spaces, by their published names, on maps [B, C, H, W].

Two kinds: those that learn are ReLU, a branch of convolutions, batch norm; free ones have no parameters. Height and
width leave as ceil(size / stride).

Source: DARTS (Liu et al., ICLR 2019, arXiv 1806.09055), NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv 2001.00326),
and for the noise RobustDARTS (Zela et al., ICLR 2020, arXiv 1909.09656). Deviation: odd sizes are taken as well.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasray.errors import UserError
from nasray.search_spaces.cells.cell_type import NONE
from nasray.search_spaces.names.suggestion import did_you_mean

SKIP = "skip_connect"
NOISE = "noise"
CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")
POOLINGS = ("avg_pool_3x3", "max_pool_3x3")
Branch = Callable[[int, int, int, bool], nn.Module]


class Zero(nn.Module):
    """No connection: zeros."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros [B, C, ceil(H / stride), ceil(W / stride)]."""
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class Noise(nn.Module):
    """Standard normal noise of the input's shape, from torch's global generator; it sees nothing of the input."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Noise [B, C, ceil(H / stride), ceil(W / stride)], channels last."""
        rows = x[:, :, :: self.stride, :: self.stride].permute(0, 2, 3, 1)
        # Drawn as it lies in memory: a draw into other strides takes ten times as long on a CPU.
        return torch.randn_like(rows, memory_format=torch.contiguous_format).permute(0, 3, 1, 2)


class FactorizedReduce(nn.Module):
    """Half of the channels from the even rows and columns, half from the odd ones, each by a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(in_channels, out_channels // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels - out_channels // 2, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, out_channels, ceil(H / 2), ceil(W / 2)]."""
        # An odd length has one odd place too few: zeros stand in.
        shifted = F.pad(x, (-1, x.shape[3] % 2, -1, x.shape[2] % 2))
        return torch.cat([self.even(x), self.odd(shifted)], dim=1)


def convolution(
    in_channels: int, out_channels: int, stride: int, _affine: bool, *, kernel_size: int
) -> nn.Module:
    """A plain convolution."""
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)


def dilated(
    in_channels: int, out_channels: int, stride: int, _affine: bool, *, kernel_size: int, dilation: int = 2
) -> nn.Sequential:
    """A depthwise convolution with gaps, and a 1x1 that mixes the channels."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            stride,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=in_channels,
            bias=False,
        ),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
    )


def separable(
    in_channels: int, out_channels: int, stride: int, affine: bool, *, kernel_size: int
) -> nn.Sequential:
    """Twice a depthwise convolution and a 1x1, the stride in the first; batch norm and ReLU between."""
    return nn.Sequential(
        *dilated(in_channels, in_channels, stride, affine, kernel_size=kernel_size, dilation=1),
        nn.BatchNorm2d(in_channels, affine=affine),
        nn.ReLU(inplace=True),
        *dilated(in_channels, out_channels, 1, affine, kernel_size=kernel_size, dilation=1),
    )


def learning_branch(name: str, stride: int) -> Branch | None:
    """What makes the convolutions (in_channels, out_channels, stride, affine) of an operation; None: it is free."""
    if name == SKIP and stride > 1:
        return _reduction
    return _BRANCHES.get(name)


def free_map(name: str, stride: int) -> nn.Module:
    """The module of an operation without parameters."""
    return _FREE_MAPS[name](stride)


def operation(
    name: str, in_channels: int, out_channels: int, stride: int, *, affine: bool = True
) -> nn.Module:
    """An operation as it stands in a network, its norms affine or not; free ones keep the number of channels."""
    branch = learning_branch(name, stride)
    if branch is None:
        return free_map(name, stride)
    return nn.Sequential(
        nn.ReLU(),
        branch(in_channels, out_channels, stride, affine),
        nn.BatchNorm2d(out_channels, affine=affine),
    )


def check_known(name: str) -> None:
    """Holds `name` to the operations that there are.

    Raises:
        UserError: If it is none of them.
    """
    known = [*_FREE_MAPS, *_BRANCHES]
    if name not in known:
        raise UserError(
            f"a cell's operation must be one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}"
        )


def _reduction(in_channels: int, out_channels: int, _stride: int, _affine: bool) -> nn.Module:
    return FactorizedReduce(in_channels, out_channels)


_BRANCHES: dict[str, Branch] = {
    **{f"nor_conv_{k}x{k}": partial(convolution, kernel_size=k) for k in (1, 3)},
    **{f"sep_conv_{k}x{k}": partial(separable, kernel_size=k) for k in (3, 5)},
    **{f"dil_conv_{k}x{k}": partial(dilated, kernel_size=k) for k in (3, 5)},
}
_FREE_MAPS: dict[str, Callable[[int], nn.Module]] = {
    NONE: Zero,
    SKIP: lambda _: nn.Identity(),
    "avg_pool_3x3": lambda stride: nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
    "max_pool_3x3": lambda stride: nn.MaxPool2d(3, stride, padding=1),
    NOISE: Noise,
}
