"""The epoch loop. What differs between methods stays in their own `step`."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from nasray.trainables.core.compute import device_name
from nasray.trainables.core.guards.watchdog import step_made
from nasray.trainables.core.process_group import ProcessGroup, current_group

ModuleT = TypeVar("ModuleT", bound=nn.Module)


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

    A value that only some steps give is averaged over the samples of these. Where several processes train together,
    averages are over the samples of all, and the leader alone evaluates.

    `data_wait_share` is the share of the training time spent waiting for batches, `device` what the steps ran on.

    Raises:
        NonFiniteLossError: an average is not finite; the message names it and the epoch.
    """
    start, group = time.perf_counter(), current_group()
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
    averages = {name: _average(total, counts[name], group) for name, total in sums.items()}
    trained = time.perf_counter() - start
    device = next((total.device for total in sums.values()), torch.device("cpu"))
    for name, average in averages.items():
        if not math.isfinite(average):
            raise NonFiniteLossError(
                f"{name} must stay finite, became {average} in epoch {epoch + 1}: lower the learning rate"
            )
    return {
        **averages,
        **(method.evaluate(epoch) if group.is_main else {}),
        "samples_per_second": num_samples * group.size / trained,
        "data_wait_share": waited / trained,
        "seconds": time.perf_counter() - start,
        "device": device_name(device),
    }


def _average(total: Tensor, count: int, group: ProcessGroup) -> float:
    """The average of a value by its sum over `count` samples here, and those of the others."""
    values = group.total(torch.stack([total.double(), total.new_tensor(count, dtype=torch.float64)]))
    return float(values[0] / values[1])


def _timed(batches: Iterable[Any]) -> Iterator[tuple[Any, float]]:
    """Each batch with the seconds that its making took."""
    iterator = iter(batches)
    while True:
        start = time.perf_counter()
        try:
            batch = next(iterator)
        except StopIteration:
            return
        step_made()
        yield batch, time.perf_counter() - start
