"""The operations that ship: functions (in_channels, out_channels, stride) -> module on maps [B, C, H, W].

A convolution is followed by a batch norm and, unless it ends a residual branch, by a SiLU. Height and width
leave as ceil(size / stride). A module that adds its input to its branch names the branch's last norm in
`residual_norm`, so that `zero_init_residual` can start it as the identity; a user's module may do the same.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation

Operation = Callable[[int, int, int], nn.Module]


class Residual(nn.Module):
    """A branch that ends in a norm, added to its input where both have the same shape.

    Attributes:
        residual_norm: Name of the branch's last norm; absent where there is no shortcut.
    """

    def __init__(self, branch: nn.Sequential, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.branch = branch
        self.has_shortcut = stride == 1 and in_channels == out_channels
        if self.has_shortcut:
            norms = [name for name, module in self.named_modules() if isinstance(module, nn.BatchNorm2d)]
            self.residual_norm = norms[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output, [B, out_channels, ceil(H / stride), ceil(W / stride)]."""
        return x + self.branch(x) if self.has_shortcut else self.branch(x)


def mbconv(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    expansion: int,
    kernel_size: int,
    squeeze_excite: bool,
) -> Residual:
    """An inverted residual: expand by a 1x1, filter depthwise, optionally squeeze-excite, project by a 1x1.

    Source: MobileNetV2 (Sandler et al., CVPR 2018), with the squeeze-excite of EfficientNet (Tan and Le, ICML
    2019): its bottleneck is a quarter of the channels that enter the layer, not of the expanded ones.
    """
    hidden = in_channels * expansion
    layers: list[nn.Module] = []
    if expansion > 1:
        layers.append(_conv(in_channels, hidden, 1))
    layers.append(_conv(hidden, hidden, kernel_size, stride, groups=hidden))
    if squeeze_excite:
        layers.append(SqueezeExcitation(hidden, max(1, in_channels // 4), activation=nn.SiLU))
    layers.append(_conv(hidden, out_channels, 1, activation=None))
    return Residual(nn.Sequential(*layers), in_channels, out_channels, stride)


def separable(in_channels: int, out_channels: int, stride: int, *, kernel_size: int) -> Residual:
    """A depthwise convolution and a 1x1 that mixes the channels, with a shortcut where shapes agree."""
    depthwise = _conv(in_channels, in_channels, kernel_size, stride, groups=in_channels)
    pointwise = _conv(in_channels, out_channels, 1, activation=None)
    return Residual(nn.Sequential(depthwise, pointwise), in_channels, out_channels, stride)


def convolution(in_channels: int, out_channels: int, stride: int, *, kernel_size: int) -> nn.Module:
    """A plain convolution, batch norm and SiLU."""
    return _conv(in_channels, out_channels, kernel_size, stride)


def skip(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The identity; where the shape changes, a 1x1 convolution with the stride and a batch norm."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return _conv(in_channels, out_channels, 1, stride, activation=None)


def zero_init_residual(module: nn.Module) -> None:
    """Zeroes the weight of every `residual_norm` in `module`: each residual layer starts as its shortcut.

    Raises:
        UserError: If a norm so named has no weight.
    """
    for name, layer in module.named_modules():
        norm_name = getattr(layer, "residual_norm", None)
        if norm_name is None:
            continue
        weight = getattr(layer.get_submodule(norm_name), "weight", None)
        if weight is None:
            raise ValueError(
                f"residual_norm of {name or type(layer).__name__} must have a weight to start at 0"
            )
        nn.init.zeros_(weight)


def _conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.SiLU,
) -> nn.Sequential:
    return Conv2dNormActivation(
        in_channels, out_channels, kernel_size, stride, groups=groups, activation_layer=activation
    )


OPERATIONS: dict[str, Operation] = {
    "skip": skip,
    **{f"conv{k}": partial(convolution, kernel_size=k) for k in (1, 3)},
    **{f"sep{k}": partial(separable, kernel_size=k) for k in (3, 5)},
    **{
        f"mb{e}k{k}{suffix}": partial(mbconv, expansion=e, kernel_size=k, squeeze_excite=suffix == "se")
        for suffix in ("", "se")
        for e in (1, 3, 6)
        for k in (3, 5, 7)
    },
}
