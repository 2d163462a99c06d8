"""Restoration of tensors and generators after a pass."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def preserved(tensors: Iterable[Tensor]) -> Iterator[None]:
    """A context that may change the tensors and draw random numbers; both are as before at its end, to the bit.

    That holds after an exception, too. The random numbers are those of torch's global generators, on the CPU and on
    the tensors' devices: two contexts one after the other draw the same ones. There is no backward through a graph that
    was recorded before, since the tensors have been written to.
    """
    tensors = list(tensors)
    saved = [tensor.detach().clone() for tensor in tensors]
    gpus = sorted({tensor.device.index for tensor in tensors if tensor.is_cuda})
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, saved, strict=True):
                tensor.copy_(value)
