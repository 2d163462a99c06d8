"""The supernet evaluated with the parameters of its earlier selves."""

import copy
from typing import Literal

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from nasray.trainables.core.batch_norm import with_batch_statistics
from nasray.trainables.sd_darts.supernets.supernet import Supernet

Tensors = dict[str, Tensor]


class EarlierSelves:
    """Gives the logits of any number of states of one supernet for the same images.

    Args:
        supernet: Whose states they are.
        norm: Statistics of the batch norms: of the "batch", or the "running" ones of each state.
        batched: Evaluate all states at once over stacked parameters; None: on a GPU. On CPUs one after the other is
            faster, since a batched convolution becomes a grouped one.
    """

    def __init__(
        self, supernet: Supernet, norm: Literal["batch", "running"], *, batched: bool | None = None
    ) -> None:
        if norm == "batch":
            self._network = with_batch_statistics(supernet)
        else:
            self._network = copy.deepcopy(supernet).eval().requires_grad_(False)
        self._names = set(tensors_of(self._network))
        self.device = next(supernet.parameters()).device
        self._batched = self.device.type == "cuda" if batched is None else batched

    @torch.no_grad()
    def logits(self, states: list[Tensors], images: Tensor) -> Tensor:
        """Logits [len(states), B, num_classes] for images [B, C, H, W]; dropout is off.

        What is random in the network is drawn from a stream of its own, which starts from the state of torch's global
        generator and leaves that as it is: with any number of teachers, or none, the supernet meets the same noise.
        """
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(int(torch.randint(2**62, ())))
            return self._logits(states, images)

    def _logits(self, states: list[Tensors], images: Tensor) -> Tensor:
        used = [{name: state[name] for name in self._names} for state in states]
        if not self._batched or len(states) == 1:
            return torch.stack([self._forward(state, images) for state in used])
        stacked = {name: torch.stack([state[name] for state in used]) for name in self._names}
        return vmap(self._forward, in_dims=(0, None), randomness="different")(stacked, images)

    def _forward(self, state: Tensors, images: Tensor) -> Tensor:
        return functional_call(self._network, state, (images,))


def tensors_of(supernet: Supernet) -> Tensors:
    """The supernet's parameters (weights and alphas) and buffers by name, not copied."""
    return dict(supernet.named_parameters()) | dict(supernet.named_buffers())


def state_of(supernet: Supernet) -> Tensors:
    """A copy of `tensors_of`."""
    return {name: tensor.detach().clone() for name, tensor in tensors_of(supernet).items()}
