"""A training in several processes of a node: each computes the gradients of its part of every batch.

The process of the unit leads. The others are started for it, build the same method from the same seeds, go along from
epoch to epoch and end with the training; what comes before and after it, such as an evaluation, is the leader's alone.
The gradients are averaged by torch's DistributedDataParallel, over NCCL on GPUs and gloo on CPUs.

Batch norms use the statistics of a process's own part of the batch, and the leader's running ones are kept; what a loss
measures over a batch, such as a variance, is measured over the part as well. Where a batch cannot be cut evenly, images
of the smaller part weigh a little more. All this is what is usual [our own reading].
"""

import multiprocessing
import os
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from nasray.errors import UserError
from nasray.trainables.core.guards.notes import LOGGER

_BACKENDS = {"cuda": "nccl", "cpu": "gloo"}
# They wait for each other as long as an evaluation takes; that one of them died is found out otherwise.
_PATIENCE = timedelta(days=1)
_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes of a training, as one of them sees it.

    Attributes:
        rank: Which one this is, from 0, the leader.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the leader, or the only one."""
        return self.rank == 0

    @property
    def seed_parts(self) -> tuple[str | int, ...]:
        """What sets this one's random draws, such as dropout's, apart from those of the others."""
        return () if self.is_main else ("process", self.rank)

    def part(self, positions: np.ndarray) -> np.ndarray:
        """This one's part of a batch; sizes differ by one at the most.

        Raises:
            UserError: There is nothing for some.
        """
        if len(positions) < self.size:
            raise UserError(
                f"a batch must hold an image for each of compute.num_processes, {self.size}, got one of "
                f"{len(positions)}: raise batch_size, or lower compute.num_processes"
            )
        return positions[self.rank :: self.size]

    def total(self, values: Tensor) -> Tensor:
        """The sum of the values over all of the group, on each."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The body runs in the leader, then in the others, and nobody goes on before all are through."""
        if not self.is_main:
            self._meet()
        yield
        if self.is_main:
            self._meet()
        self._meet()

    def close(self) -> None:
        """Leave together; the leader goes on alone, and the processes of the others end here."""
        if self.size > 1:
            self._meet()
            distributed.destroy_process_group()
        if not self.is_main:
            # Here and not by what their work tells: a training resumed after its last epoch runs none.
            sys.exit()

    def synchronised(self, run: Callable[..., Any], modules: Sequence[nn.Module]) -> Callable[..., Any]:
        """Does what `run` does; gradients of `modules` through what it returns become the group's averages."""
        if self.size == 1:
            return run
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # of another name for broadcast_buffers, in new torch alone
            # Weights off a sampled path take no part. With them looked for, the order of the sums stays as it is from
            # the first step on, and so do the bytes when a training is resumed.
            return DistributedDataParallel(
                _Run(run, modules), find_unused_parameters=True, broadcast_buffers=False
            )

    def _meet(self) -> None:
        if self.size > 1:
            distributed.barrier()


class _Run(nn.Module):
    """A function of modules as a module."""

    def __init__(self, run: Callable[..., Any], modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self._trained = nn.ModuleList(modules)
        self._run = run

    def forward(self, *arguments: Any) -> Any:
        return self._run(*arguments)


def current_group() -> ProcessGroup:
    """The group of this process; of itself alone where there is none."""
    if not distributed.is_initialized():
        return ProcessGroup()
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def leading(size: int, device: str, work: Callable[[], None]) -> Iterator[None]:
    """Within, this process leads a group, until it disbands.

    If one of the others dies, so does this process, if it does not fail by itself: it would wait for ever.

    Args:
        size: Processes, this one included; 1: there is no group.
        device: "cpu" or "cuda", on which all compute.
        work: What each of the others does, until the group disbands; it is pickled. A mistake of the user's that it
            meets is left to this process to tell, which meets it, too.
    """
    if size == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="nasray-group-") as folder:
        meeting, spawning = f"file://{folder}/meeting", multiprocessing.get_context("spawn")
        others = [
            spawning.Process(
                target=_follow, args=(work, rank, size, device, meeting)
            )  # not daemons: they may have workers
            for rank in range(1, size)
        ]
        for process in others:
            process.start()
        over = threading.Event()
        threading.Thread(target=_end_with, args=(others, over), daemon=True).start()
        try:
            _join(0, size, device, meeting)
            yield
        except BaseException:
            for process in others:
                process.kill()
            raise
        finally:
            over.set()
            for process in others:
                process.join()
            if distributed.is_initialized():
                distributed.destroy_process_group()


def _follow(work: Callable[[], None], rank: int, size: int, device: str, meeting: str) -> None:
    """What another process than the leader does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _join(rank, size, device, meeting)
    try:
        work()
    except (ValueError, FloatingPointError) as error:
        LOGGER.warning("process %d: %s", rank, error)


def _join(rank: int, size: int, device: str, meeting: str) -> None:
    """Join the group, whose members talk over the loopback interface alone."""
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", loopback)
    if device == "cuda":
        torch.cuda.set_device(rank)
    distributed.init_process_group(
        _BACKENDS[device], init_method=meeting, rank=rank, world_size=size, timeout=_PATIENCE
    )


def _end_with(others: Sequence[BaseProcess], over: threading.Event) -> None:
    """End this process when one of the others failed and this one does not fail by itself."""
    running = list(others)
    while running and not over.is_set():
        connection.wait([process.sentinel for process in running], timeout=1.0)
        for process in [process for process in running if not process.is_alive()]:
            running.remove(process)
            if process.exitcode and not over.wait(_GRACE_SECONDS):
                LOGGER.error("a process of the training ended with code %s", process.exitcode)
                os._exit(1)


def _end_with_parent() -> None:
    """End this process when the leader is no more."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
