"""The slope of the loss under growing noise on the weights: the flatness of the minimum.

Source: GeNAS (Jeong et al., IJCAI 2023, arXiv 2305.08611), whose score is the inverse of the sum of |dL / dsigma| over
neighbouring sigmas, with .001, .003 and .006 in its README. Deviations [our reading]: noise is relative to each
tensor's root mean square, where the released code adds the same noise to all; the slope from the loss without noise
counts, where it takes that loss for 0; all sigmas share one direction, where it adds fresh noise at each; several
directions are averaged; the result is a mean and not inverted, so that lower is flatter.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from nasray.errors import UserError
from nasray.trainables.core.guards.watchdog import step_made
from nasray.trainables.sd_darts.sharpness.preserved import preserved


@torch.no_grad()
def weight_noise_slope(
    loss: Callable[[], Tensor],
    parameters: Iterable[Tensor],
    *,
    seed: int,
    sigmas: Sequence[float] = (0.02, 0.05, 0.1),
    num_draws: int = 4,
    buffers: Iterable[Tensor] = (),
) -> float:
    """Mean |dL / dsigma| between neighbouring sigmas, 0 being the first; the flatter the minimum, the lower.

    L at a sigma is the mean loss over the directions of noise. The parameters, the buffers and torch's global
    generators are as before afterwards, to the bit; each evaluation of the loss meets the same state of all three.

    Args:
        loss: Gives the scalar loss at the present values; called 1 + num_draws * len(sigmas) times.
        parameters: The weights that noise is added to; a tensor of zeros stays as it is.
        seed: Of the noise, which is drawn on the CPU and thus the same on every device.
        sigmas: Growing standard deviations of the noise, relative to each tensor's root mean square.
        num_draws: How many directions of noise are averaged over.
        buffers: What the loss may change and must find restored: the running statistics of batch norms.

    Raises:
        UserError: The sigmas are not above 0 and growing, or there is no draw.
    """
    steps = np.array([0.0, *sigmas])
    if len(steps) < 2 or not (np.diff(steps) > 0).all():
        raise UserError(f"sigmas must be one or more, greater than 0 and growing, got {tuple(sigmas)}")
    if num_draws < 1:
        raise UserError(f"num_draws must be at least 1, got {num_draws}")
    parameters, buffers = list(parameters), list(buffers)
    generator = torch.Generator().manual_seed(seed)
    undisturbed = _loss_beside(loss, parameters, [torch.zeros_like(p) for p in parameters], 0.0, buffers)
    losses = []
    for _ in range(num_draws):
        noise = _noise(parameters, generator)
        losses.append([undisturbed, *(_loss_beside(loss, parameters, noise, s, buffers) for s in sigmas)])
    slopes = np.diff(np.mean(losses, axis=0)) / np.diff(steps)
    return float(np.abs(slopes).mean())


def _noise(parameters: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Gaussian noise for each tensor, as large as the tensor itself in root mean square."""
    return [torch.randn(p.shape, generator=generator).to(p) * p.square().mean().sqrt() for p in parameters]


def _loss_beside(
    loss: Callable[[], Tensor],
    parameters: Sequence[Tensor],
    noise: Sequence[Tensor],
    sigma: float,
    buffers: Sequence[Tensor],
) -> float:
    """The loss at parameters + sigma * noise."""
    step_made()
    with preserved([*parameters, *buffers]):
        for parameter, direction in zip(parameters, noise, strict=True):
            parameter.add_(direction, alpha=sigma)
        return float(loss())
