"""Batch norms of a trained network: without memory of earlier batches, or with statistics of its own."""

import copy
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def with_batch_statistics(model: ModuleT) -> ModuleT:
    """A copy in evaluation mode whose batch norms use each batch's own statistics and keep none.

    It computes what the model does in training, but for dropout, and nothing of it changes by being run.
    """
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    for norm in _norms(copied):
        norm.track_running_stats = False
        norm.running_mean = norm.running_var = norm.num_batches_tracked = None
    return copied


@torch.no_grad()
def reestimate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the batch norms' running statistics to the average over `batches` of images; leaves evaluation mode."""
    model.eval()
    update_bn(batches, model)


@torch.no_grad()
def calibrate(module: nn.Module, batches: Iterable[Tensor]) -> list[Tensor]:
    """The outputs for `batches`, each normalised by its own statistics, whose averages become the running ones.

    Unlike in `reestimate`, nothing but the batch norms leaves evaluation mode, so that nothing random enters; they keep
    cumulative averages from then on.
    """
    module.eval()
    for norm in _norms(module):
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    outputs = [module(batch) for batch in batches]
    module.eval()
    return outputs


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
