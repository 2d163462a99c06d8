"""The watchdog of a unit: it ends the process when no step was made for too long, and tells where the code stands."""

import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_LOOKS_PER_LIMIT = 10
_LONGEST_PAUSE_SECONDS = 10.0


@dataclass
class _Signs:
    """Signs of life.

    Attributes:
        last: When the last step was made; infinite while none is expected.
        tasks: What is being done, the innermost last.
    """

    last: float = math.inf
    tasks: list[Any] = field(default_factory=list)


_SIGNS = _Signs()  # of what this process runs


def step_made() -> None:
    """Tell that the unit of this process got on."""
    if _SIGNS.last < math.inf:
        _SIGNS.last = time.monotonic()


@contextmanager
def doing(task: Any) -> Iterator[None]:
    """Within, a task is being done that is to blame when no further step is made."""
    step_made()
    _SIGNS.tasks.append(task)
    try:
        yield
    finally:
        _SIGNS.tasks.pop()


@contextmanager
def unwatched() -> Iterator[None]:
    """Within, no step is expected, since others are waited for."""
    before, _SIGNS.last = _SIGNS.last, math.inf
    try:
        yield
    finally:
        _SIGNS.last = time.monotonic() if before < math.inf else before


@contextmanager
def watched(limit: float, give_up: Callable[[Any | None, traceback.StackSummary], None]) -> Iterator[None]:
    """Within, this process ends with code 1 when no step is made for so long: what hangs cannot be broken off.

    Args:
        limit: Seconds; the first steps compile, and open data.
        give_up: Called before, in a thread of its own, with what was being done, if that is known, and the stack.
    """
    thread, over = threading.get_ident(), threading.Event()

    def watch() -> None:
        while not over.wait(min(limit / _LOOKS_PER_LIMIT, _LONGEST_PAUSE_SECONDS)):
            if time.monotonic() - _SIGNS.last > limit:
                task = _SIGNS.tasks[-1] if _SIGNS.tasks else None
                stack = traceback.extract_stack(sys._current_frames()[thread])
                try:
                    give_up(task, stack)
                finally:
                    os._exit(1)

    _SIGNS.last = time.monotonic()
    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        _SIGNS.last = math.inf
