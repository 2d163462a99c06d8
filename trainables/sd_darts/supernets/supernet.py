"""The interface of differentiable supernets: weights of the choices, the architecture they stand for."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

Weights = Mapping[str, Tensor]
_INITIAL_STD = 1e-3


class Supernet(nn.Module, ABC):
    """A network in which every choice is a weighted sum over all that could be chosen.

    Source: DARTS (Liu et al., ICLR 2019, arXiv 1806.09055), equation 2.

    Attributes:
        arch_parameters: The alphas by name, each [choices] or [edges, choices].
    """

    arch_parameters: nn.ParameterDict

    def weights(self) -> dict[str, Tensor]:
        """Per name of an alpha, the weight of each choice: the softmax over its last dimension."""
        return {name: alpha.softmax(dim=-1) for name, alpha in self.arch_parameters.items()}

    def network_parameters(self) -> list[nn.Parameter]:
        """All parameters but the alphas."""
        alphas = {id(alpha) for alpha in self.arch_parameters.values()}
        return [parameter for parameter in self.parameters() if id(parameter) not in alphas]

    def alphas(self) -> list[nn.Parameter]:
        """The alphas, in a fixed order."""
        return [cast(nn.Parameter, alpha) for alpha in self.arch_parameters.values()]

    @abstractmethod
    def forward(self, images: Tensor, weights: Weights | None = None) -> Tensor:
        """Logits [B, num_classes] of images [B, C, H, W]; `weights` None: those of the alphas."""

    @abstractmethod
    def discretize(self) -> str:
        """The canonical text of the architecture that the alphas stand for."""

    @abstractmethod
    def one_hot(self, architecture: str) -> dict[str, Tensor]:
        """Weights of exactly 0 and 1 that leave only the operations of `architecture`."""

    @abstractmethod
    def num_skips(self, architecture: str) -> int:
        """How many skips `architecture` has."""


def initial_alpha(*shape: int) -> nn.Parameter:
    """An alpha near zero, from torch's global generator: no choice is preferred."""
    return nn.Parameter(_INITIAL_STD * torch.randn(*shape))


def mean_entropy(weights: Weights) -> Tensor:
    """Entropy of the choices' weights in nats, averaged over all rows; log(choices) where nothing is decided."""
    rows = [-torch.special.xlogy(value, value).sum(dim=-1).flatten() for value in weights.values()]
    return torch.cat(rows).mean()
