"""Zero-cost proxies: what a network that has not been trained lets expect of its accuracy.

Source: J. Mellor et al., "Neural Architecture Search without Training" (ICML 2021) for NASWOT; H. Tanaka et al.,
"Pruning neural networks without any data by iteratively conserving synaptic flow" (NeurIPS 2020) for synflow, and
M. S. Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021) for it as a score of networks. Our own
reading: NASWOT takes the sign of what goes into an activation, of whatever kind; synflow leaves out all normalisation,
and is told as a logarithm, which keeps the order.
"""

import copy
import math
from contextlib import ExitStack

import torch
from torch import Tensor, nn

NASWOT, SYNFLOW = "naswot", "synflow"
NUM_IMAGES = 64
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Hardswish)
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def zero_cost_proxies(network: nn.Module, images: Tensor) -> dict[str, float | None]:
    """Both proxies by name, higher promises a higher accuracy; None where a network has none that is finite.

    Args:
        network: As it is before its first step; it stays as it is.
        images: Some training images [B, C, H, W], on the network's device.
    """
    return {NASWOT: naswot(network, images), SYNFLOW: synflow(network, images.shape[1:])}


@torch.no_grad()
def naswot(network: nn.Module, images: Tensor) -> float | None:
    """Log |det K|, where K [B, B] counts the units of all activations that two images switch alike, on or off.

    None where no activation is a module of its own, or the network switches two images alike everywhere.
    """
    probed = copy.deepcopy(network).train()  # normalised by the batch, as in its first step
    alike = torch.zeros(len(images), len(images), dtype=torch.float64)

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        signs = (inputs[0].flatten(1) > 0).float() * 2 - 1
        alike.add_(((signs @ signs.T).double().cpu() + signs.shape[1]) / 2)

    with ExitStack() as hooks:
        for module in probed.modules():
            if isinstance(module, _ACTIVATIONS):
                hooks.enter_context(module.register_forward_pre_hook(count))
        probed(images)
    return _finite(float(torch.linalg.slogdet(alike).logabsdet))


def synflow(network: nn.Module, input_shape: torch.Size) -> float | None:
    """Log of the sum of |w * dR / dw| over the weights w of convolutions and linear layers.

    R is the sum of the logits of an image of ones, by the network with the absolute values of all its parameters and
    without normalisation. None where no weight has a part in it.
    """
    probed = copy.deepcopy(network).double().eval()
    with ExitStack() as hooks:
        for module in probed.modules():
            if isinstance(module, _NORMS):
                hooks.enter_context(module.register_forward_hook(lambda _, inputs, output: inputs[0]))
        for parameter in probed.parameters():
            parameter.data.abs_()
        device = next(probed.parameters()).device
        probed(torch.ones(1, *input_shape, dtype=torch.float64, device=device)).sum().backward()
    weights = [module.weight for module in probed.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    flows = [float((w.detach() * w.grad).abs().sum()) for w in weights if w.grad is not None]
    return _finite(math.log(sum(flows))) if sum(flows) > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
