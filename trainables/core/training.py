"""The epoch loop. What differs between methods stays in their own `step`."""

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from nasray.trainables.core.allocation import keep_freed_memory
from nasray.trainables.core.device_name import device_name
from nasray.trainables.core.process_group import Team, current_team

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class ComputeConfig(BaseModel):
    """Where and how one unit computes. Results depend on it, since sums are split by threads and processes.

    Attributes:
        device: "auto" is a GPU where the unit has one.
        num_threads: CPU threads of each process.
        num_processes: Processes of one node that train a cell, a teacher or a network together, see `data_parallel.py`:
            each takes its part of every batch, on a GPU of its own where units have GPUs. All else has one.
        num_workers: Processes that read and augment images ahead of each of these; 0: it does so itself, between steps.
            They change no result. A CPU each is taken for them.
        channels_last: The layout of images and convolution weights; None: on, since it is faster on CPUs and GPUs.
        precision: In which the steps of these trainings run, by torch's autocast; float16 scales its gradients. Weights
            stay in float32, and so does all else: a teacher's features, ratings, accuracies, SD-DARTS.
        compile: Compile the steps of these trainings: of supernets the operations, since each path would be a program
            of its own. Takes minutes at first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = Field(default=1, ge=1)
    num_processes: int = Field(default=1, ge=1)
    num_workers: int = Field(default=0, ge=0)
    channels_last: bool | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False

    def prepare(self) -> torch.device:
        """The device to compute on, with threads, determinism and memory of this process set.

        Raises:
            ValueError: CUDA is asked for where there is none.
        """
        keep_freed_memory()
        torch.set_num_threads(self.num_threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        _switch_tf32_off()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, sums on a GPU vary
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("compute.device is cuda, but this process sees no GPU: use device=auto or cpu")
        team = current_team()
        if team.size > 1 and self.kind == "cuda":
            return torch.device("cuda", team.rank)
        return torch.device(self.kind)

    @property
    def arithmetic(self) -> dict[str, Any]:
        """As plain data what results depend on."""
        return self.model_dump(exclude={"num_workers"})

    @property
    def kind(self) -> str:
        """The kind of device that this process computes on, "cpu" or "cuda"."""
        found = "cuda" if torch.cuda.is_available() else "cpu"
        return found if self.device == "auto" else self.device

    @property
    def dtype(self) -> torch.dtype:
        """The type in which steps are computed where it matters little."""
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            self.precision
        ]

    @property
    def memory_format(self) -> torch.memory_format:
        """Layout of images and convolution weights; channels last unless switched off, faster on CPUs and GPUs."""
        return torch.contiguous_format if self.channels_last is False else torch.channels_last

    def place(self, tensor: Tensor, device: torch.device) -> Tensor:
        """The tensor on the device, in this config's layout where it is an image or a feature map.

        It goes to a GPU by way of pinned memory, so that this process need not wait for it.
        """
        if device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()
        placed = tensor.to(device, non_blocking=True)
        return placed.to(memory_format=self.memory_format) if placed.dim() == 4 else placed

    def place_module(self, module: ModuleT, device: torch.device) -> ModuleT:
        """The module on the device, its convolution weights in this config's layout."""
        return module.to(device=device, memory_format=self.memory_format)  # type: ignore[call-overload]


def _switch_tf32_off() -> None:
    """Have GPUs compute float32 as float32.

    Ampere's and later ones would round the factors of a convolution to 10 bits (torch's default), and those of a matrix
    product where the environment asks for it: neither is what a CPU or an older GPU gives.
    """
    # By these switches and not by `fp32_precision` of each operation, besides which torch.export cannot read them.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


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
    start, team = time.perf_counter(), current_team()
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
    averages = {name: _average(total, counts[name], team) for name, total in sums.items()}
    trained = time.perf_counter() - start
    device = next((total.device for total in sums.values()), torch.device("cpu"))
    for name, average in averages.items():
        if not math.isfinite(average):
            raise NonFiniteLossError(
                f"{name} must stay finite, became {average} in epoch {epoch + 1}: lower the learning rate"
            )
    return {
        **averages,
        **(method.evaluate(epoch) if team.leads else {}),
        "samples_per_second": num_samples * team.size / trained,
        "data_wait_share": waited / trained,
        "seconds": time.perf_counter() - start,
        "device": device_name(device),
    }


def _average(total: Tensor, count: int, team: Team) -> float:
    """The average of a value by its sum over `count` samples here, and those of the others."""
    values = team.total(torch.stack([total.double(), total.new_tensor(count, dtype=torch.float64)]))
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
        yield batch, time.perf_counter() - start
