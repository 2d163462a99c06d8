"""Clocks for what a device computes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

# What takes maps or images to maps or logits.
Stage = Callable[[Tensor], Tensor]


class Stopwatch(Protocol):
    """A clock that is read between the stages of a computation."""

    @property
    def name(self) -> str:
        """What it counts."""

    def settle(self) -> None:
        """Wait until the device has nothing to do."""

    def mark(self) -> Any:
        """The moment at which the device is done with all that it was given so far."""

    def seconds_between(self, marks: Sequence[Any]) -> list[float]:
        """The time from each mark to the next; waits until the last one is reached."""


@dataclass(frozen=True, slots=True)
class ProcessorStopwatch:
    """A clock of the processor that runs this process, whose operations are done when they return.

    Attributes:
        name: What it counts.
        read: The clock, in seconds.
    """

    name: str
    read: Callable[[], float]

    def settle(self) -> None:
        """Nothing to wait for."""

    def mark(self) -> float:
        """The clock's reading."""
        return self.read()

    def seconds_between(self, marks: Sequence[float]) -> list[float]:
        """The differences of the readings."""
        return [end - start for start, end in pairwise(marks)]


class CudaStopwatch:
    """The GPU's own clock: events among the kernels, so that no kernel waits for the one before to be reported."""

    @property
    def name(self) -> str:
        """What it counts."""
        return "cuda_events"

    def settle(self) -> None:
        """Wait for the kernels that are queued."""
        torch.cuda.synchronize()

    def mark(self) -> torch.cuda.Event:
        """An event behind what is queued."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds_between(self, marks: Sequence[torch.cuda.Event]) -> list[float]:
        """The times between the events, once the last one has happened."""
        marks[-1].synchronize()
        return [start.elapsed_time(end) / 1000 for start, end in pairwise(marks)]


def stopwatch_for(device: torch.device, num_threads: int) -> Stopwatch:
    """The clock that tells least of what else the machine does.

    One thread on a processor is timed by its own processor time, in which the turns of other programs do not count;
    where no other runs, that is the time on the wall. Several threads have no such clock.
    """
    if device.type == "cuda":
        return CudaStopwatch()
    if num_threads == 1:
        return ProcessorStopwatch("thread_time", time.thread_time)
    return ProcessorStopwatch("wall_time", time.perf_counter)


def time_stages(stages: Sequence[Stage], images: Tensor, stopwatch: Stopwatch) -> list[float]:
    """Seconds that each stage takes, one after the other, from the images on; a run before is not counted."""
    x = images
    for stage in stages:
        x = stage(x)
    stopwatch.settle()
    x, marks = images, [stopwatch.mark()]
    for stage in stages:
        x = stage(x)
        marks.append(stopwatch.mark())
    return stopwatch.seconds_between(marks)
