"""Lets released code that asks for a GPU run on a CPU."""

import torch
from torch import nn


def use_no_gpu() -> None:
    """Make calls of `cuda` do nothing, and those that wait for a GPU."""
    torch.Tensor.cuda = nn.Module.cuda = lambda self, *_, **__: self
    torch.cuda.synchronize = lambda *_, **__: None
