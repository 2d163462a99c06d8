"""Projection heads from a block's maps to compared vectors, and a check that these still tell images apart."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-4


class Heads(nn.Module):
    """A projection of a block's maps, and a prediction of other projections from it.

    Source: the heads of BYOL (arXiv 2006.07733): a hidden layer with batch norm each; their widths are our own.
    """

    def __init__(self, channels: int, hidden_width: int, projection_width: int, *, predictor: bool) -> None:
        super().__init__()
        self.projector = _perceptron(channels, hidden_width, projection_width)
        self.predictor: nn.Module = nn.Identity()
        if predictor:
            self.predictor = _perceptron(projection_width, hidden_width, projection_width)

    def project(self, maps: Tensor) -> Tensor:
        """Projections [B, projection_width] of maps [B, C, H, W]."""
        return self.projector(maps.mean((2, 3)))


def agreement_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """The mean over the batch of 2 - 2 cos between predictions and targets [B, D], a scalar from 0 to 4."""
    return 2 - 2 * F.cosine_similarity(predicted, target, dim=1).mean()


def variance_loss(projections: Tensor) -> Tensor:
    """How far the standard deviations of the dimensions of projections [B, D] fall short of 1, on average, a scalar.

    Source: VICReg (arXiv 2105.04906), equation 1. Deviation: of projections at length sqrt(D), since only their
    directions are compared: a common direction that outgrows all differences leaves the term of the plain ones at 0.
    """
    scaled = F.normalize(projections, dim=1) * projections.shape[1] ** 0.5
    return F.relu(1 - (scaled.var(dim=0) + _EPSILON).sqrt()).mean()


def spread(projections: Tensor) -> dict[str, float]:
    """Whether projections [B, D] of different images differ.

    `dimension_std` is the mean standard deviation of a dimension of the projections at unit length, times the square
    root of D: 1 where they point everywhere alike, 0 where all are one. `effective_rank` is the exponential of the
    entropy of the centred projections' singular values, from 1 to the smaller of B and D (Roy and Vetterli, EUSIPCO
    2007); 0 where they do not differ at all.
    """
    unit = F.normalize(projections.double(), dim=1)
    values = torch.linalg.svdvals(unit - unit.mean(dim=0))
    std = float(unit.std(dim=0).mean()) * unit.shape[1] ** 0.5
    if values.sum() <= 1e-9:
        return {"dimension_std": std, "effective_rank": 0.0}
    shares = values / values.sum()
    entropy = torch.special.entr(shares).sum()
    return {"dimension_std": std, "effective_rank": float(entropy.exp())}


def _perceptron(in_width: int, hidden_width: int, out_width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_width, hidden_width),
        nn.BatchNorm1d(hidden_width),
        nn.ReLU(),
        nn.Linear(hidden_width, out_width),
    )
