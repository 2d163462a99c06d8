"""The epoch loop. What differs between methods stays in their own `step`."""

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class ComputeConfig(BaseModel):
    """Where and how one unit computes. Part of what a result depends on: sums are split by threads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = Field(default=1, ge=1)
    channels_last: bool | None = None

    def prepare(self) -> torch.device:
        """The device to compute on, with threads and determinism of this process set.

        Raises:
            ValueError: CUDA is asked for where there is none.
        """
        torch.set_num_threads(self.num_threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, sums on a GPU vary
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("compute.device is cuda, but this process sees no GPU: use device=auto or cpu")
        chosen = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(chosen if self.device == "auto" else self.device)

    @property
    def memory_format(self) -> torch.memory_format:
        """Layout of images and convolution weights; channels last unless switched off, faster on CPUs and GPUs."""
        return torch.contiguous_format if self.channels_last is False else torch.channels_last

    def place(self, tensor: Tensor, device: torch.device) -> Tensor:
        """The tensor on the device, in this config's layout where it is an image or a feature map."""
        if tensor.dim() == 4:
            return tensor.to(device, memory_format=self.memory_format, non_blocking=True)
        return tensor.to(device, non_blocking=True)

    def place_module(self, module: ModuleT, device: torch.device) -> ModuleT:
        """The module on the device, its convolution weights in this config's layout."""
        return module.to(device=device, memory_format=self.memory_format)  # type: ignore[call-overload]


class NonFiniteLossError(FloatingPointError):
    """A loss became infinite or not a number."""


class Method(Protocol):
    """What a way of training brings to the loop.

    Attributes:
        num_epochs: How many epochs to train; a method that stops early lowers it in `evaluate`, and keeps that in its
            state.
    """

    num_epochs: int

    def start_epoch(self, epoch: int) -> Iterable[Any]:
        """The epoch's batches, with schedules set to it; all depends on the seed and the epoch alone."""

    def step(self, batch: Any) -> tuple[Mapping[str, Tensor], int]:
        """One update. Returns detached scalars to be averaged over the epoch, and the number of samples."""

    def evaluate(self, epoch: int) -> Mapping[str, float | str]:
        """What is measured after the epoch, on held-out data above all; texts are kept, but not compared or drawn."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as tensors and plain values."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` gave; unchanged where that fails."""


def train_epoch(method: Method, epoch: int) -> dict[str, float | str]:
    """Metrics of one epoch: the step's averages by sample, the evaluation, and where the time went.

    A value that only some steps give is averaged over the samples of these.

    `data_wait_share` is the share of the training time spent waiting for batches.

    Raises:
        NonFiniteLossError: an average is not finite; the message names it and the epoch.
    """
    start = time.perf_counter()
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    num_samples, waited = 0, 0.0
    for batch, seconds in _timed(method.start_epoch(epoch)):
        waited += seconds
        values, size = method.step(batch)
        num_samples += size
        for name, value in values.items():
            sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value * size
            counts[name] = counts.get(name, 0) + size
    averages = {name: float(total) / counts[name] for name, total in sums.items()}
    trained = time.perf_counter() - start
    for name, average in averages.items():
        if not math.isfinite(average):
            raise NonFiniteLossError(
                f"{name} must stay finite, became {average} in epoch {epoch + 1}: lower the learning rate"
            )
    return {
        **averages,
        **method.evaluate(epoch),
        "samples_per_second": num_samples / trained,
        "data_wait_share": waited / trained,
        "seconds": time.perf_counter() - start,
    }


def _timed(batches: Iterable[Any]) -> Iterator[tuple[Any, float]]:
    """Each batch with the seconds that its making took."""
    iterator = iter(batches)
    while True:
        start = time.perf_counter()
        try:
            batch = next(iterator)
        except StopIteration:
            return
        yield batch, time.perf_counter() - start
