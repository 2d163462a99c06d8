"""Measurements of a supernet while it is searched: sharpness, discretisation gap, the pull of its teachers."""

import copy
from functools import partial

import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nasray.trainables.core.batch_norm import reestimate, with_batch_statistics
from nasray.trainables.data.image_data import ImageData
from nasray.trainables.sd_darts.halves import Batch, Halves
from nasray.trainables.sd_darts.sharpness.eigenvalue import dominant_eigenvalue
from nasray.trainables.sd_darts.sharpness.noise_slope import weight_noise_slope
from nasray.trainables.sd_darts.sharpness.preserved import preserved
from nasray.trainables.sd_darts.supernets.supernet import Supernet, Weights
from nasray.trainables.sd_darts.voting.self_distillation import SelfDistillation, gradient_norm
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.sd_darts import MeasurementConfig
from nasray.trainables.supervised.accuracy import EVALUATION_BATCH, accuracy

EIGENVALUE = "alpha_eigenvalue"
SUPERNET_ACCURACY = "held_out_accuracy"
DISCRETIZED_ACCURACY = "held_out_discretized_accuracy"
GAP = "discretization_gap"
NOISE_SLOPE = "weight_noise_slope"
PULL = "distillation_gradient_ratio"
MEASURED = (
    "val_cross_entropy",
    EIGENVALUE,
    NOISE_SLOPE,
    SUPERNET_ACCURACY,
    DISCRETIZED_ACCURACY,
    GAP,
    "resident_bytes",
)
"""What is always measured."""


class Measurement:
    """Measures a supernet always on the same images, and changes nothing of it."""

    def __init__(
        self,
        halves: Halves,
        images: ImageData,
        config: MeasurementConfig,
        compute: ComputeConfig,
        *,
        seed: int,
    ) -> None:
        self._halves, self._images, self._config = halves, images, config
        self._compute, self._seed = compute, seed

    def is_due(self, epoch: int, num_epochs: int) -> bool:
        """Whether to measure after this epoch, counted from 0."""
        return (epoch + 1) % self._config.every_epochs == 0 or epoch + 1 == num_epochs

    def measure(
        self, supernet: Supernet, architecture: str, distillation: SelfDistillation | None
    ) -> dict[str, float]:
        """All measurements by name.

        `alpha_eigenvalue`: the algebraically largest eigenvalue of the Hessian of the cross-entropy on the alphas' half
        in the alphas (RobustDARTS, arXiv 1909.09656). `weight_noise_slope`: how fast that cross-entropy rises with
        noise on the weights (GeNAS, arXiv 2305.08611). `held_out_accuracy` and `held_out_discretized_accuracy`: of the
        supernet, and of it with nothing but the operations of `architecture`, both with batch norms re-estimated;
        `discretization_gap`: their difference. `distillation_gradient_ratio`: the norm of the distillation term's
        gradient over that of the cross-entropy's, where the term is in the weights' loss; kept logits are compared with
        the images as they are, not augmented. `val_cross_entropy`: on images of the alphas' half, of the supernet as it
        is now, also while the alphas rest, and by the second order, whose own `val_loss` is one virtual step ahead.
        `resident_bytes`: memory of the process; `device_bytes`: the most that a GPU has held for it.
        """
        with preserved(supernet.alphas()):  # for the random numbers of dropout and noise
            frozen = with_batch_statistics(supernet)
            loss = partial(_cross_entropy, frozen, self._halves.fixed("val", self._config.num_images))
            alphas = [alpha.requires_grad_() for alpha in frozen.alphas()]
            eigenvalue = dominant_eigenvalue(
                loss, alphas, full_up_to=self._config.full_hessian_up_to, seed=self._seed
            )
            slope = weight_noise_slope(
                loss, frozen.network_parameters(), sigmas=self._config.noise_sigmas, seed=self._seed
            )
            whole = self._accuracy(supernet, None)
            discretized = self._accuracy(supernet, supernet.one_hot(architecture))
            with torch.no_grad():
                val_cross_entropy = loss().item()
            return {
                "val_cross_entropy": val_cross_entropy,
                EIGENVALUE: eigenvalue,
                NOISE_SLOPE: slope,
                SUPERNET_ACCURACY: whole,
                DISCRETIZED_ACCURACY: discretized,
                GAP: whole - discretized,
                **self._pull(frozen, distillation),
                **_memory(),
            }

    def _accuracy(self, supernet: Supernet, weights: Weights | None) -> float:
        """Accuracy on the held-out images, with batch norms re-estimated for these weights of the choices."""
        weighted = _Weighted(copy.deepcopy(supernet), weights)
        calibration = self._halves.fixed("train", self._config.calibration_images).images
        # In parts of almost equal size, since each counts alike.
        reestimate(weighted, calibration.tensor_split(-(-len(calibration) // EVALUATION_BATCH)))
        return accuracy(weighted, self._images.held_out, self._compute)

    def _pull(self, frozen: Supernet, distillation: SelfDistillation | None) -> dict[str, float]:
        """How strongly the teachers draw at the weights, against the labels."""
        if distillation is None or not distillation.applies_to("weights"):
            return {}
        batch = self._halves.fixed("train", self._config.num_images)
        target = distillation.target(batch)
        if target is None:
            return {}
        parameters = [parameter.requires_grad_() for parameter in frozen.network_parameters()]
        logits = frozen(batch.images)
        labels_norm = gradient_norm(F.cross_entropy(logits, batch.labels), parameters)
        teachers_norm = gradient_norm(distillation.loss(target, logits), parameters)
        return {PULL: float(teachers_norm / labels_norm)}


class _Weighted(nn.Module):
    """A supernet with weights of its choices that are fixed, or its own."""

    def __init__(self, supernet: Supernet, weights: Weights | None) -> None:
        super().__init__()
        self.supernet, self._weights = supernet, weights

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_classes]."""
        return self.supernet(images, self._weights)


def _memory() -> dict[str, float]:
    taken = {"resident_bytes": float(psutil.Process().memory_info().rss)}
    if torch.cuda.is_initialized():
        taken["device_bytes"] = float(torch.cuda.max_memory_allocated())
    return taken


def _cross_entropy(supernet: Supernet, batch: Batch) -> Tensor:
    return F.cross_entropy(supernet(batch.images), batch.labels)
