"""Batches that are prepared ahead, by processes of their own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from nasray.trainables.core.guards.watchdog import step_made

JobT = TypeVar("JobT")
BatchT = TypeVar("BatchT")


def loaded(load: Callable[[JobT], BatchT], jobs: Sequence[JobT], num_workers: int) -> Iterator[BatchT]:
    """What `load` gives for each job, in order.

    Args:
        load: Makes a batch on the CPU; it must depend on the job alone, so that workers change nothing but the time.
        jobs: One per batch.
        num_workers: Processes that load ahead; 0: this one does, when a batch is asked for.
    """
    loader = DataLoader(
        _Batches(load, jobs),
        batch_size=None,
        num_workers=num_workers,
        multiprocessing_context="fork" if num_workers else None,  # they have the data set as it is here
        generator=torch.Generator(),  # else the loader draws from the global generator
    )
    return _with_signs(iter(loader))


def _with_signs(batches: Iterator[BatchT]) -> Iterator[BatchT]:
    """The batches, each a sign that whoever asks for them gets on."""
    for batch in batches:
        step_made()
        yield batch


class _Batches(Dataset[Any], Generic[JobT, BatchT]):
    """Ready batches, so that a worker prepares whole ones."""

    def __init__(self, load: Callable[[JobT], BatchT], jobs: Sequence[JobT]) -> None:
        self._load, self._jobs = load, jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, number: int) -> BatchT:
        return self._load(self._jobs[number])
