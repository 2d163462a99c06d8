"""Units of work without Ray: in loops of processes that do nothing else."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from planned_units import forget

from nasray.scheduling.unit import Unit
from nasray.trainables.core import trainable
from nasray.trainables.units import parse_spec, run_unit

_RAY_NICENESS = 15  # that of Ray's own processes


def plain_seconds(*loops: Sequence[Unit]) -> float:
    """How long loops over units take, each in a process of its own and without checkpoints: the slowest one."""
    for units in loops:
        forget(units)
    specs = [[unit.spec.model_dump(mode="json") for unit in units] for units in loops]
    with ProcessPoolExecutor(len(loops), get_context("spawn"), os.nice, (_RAY_NICENESS,)) as processes:
        return max(processes.map(_run, specs))


def _run(specs: Sequence[dict[str, Any]]) -> float:
    trainable.save_checkpoint = lambda *_: None
    start = time.monotonic()
    for spec in specs:
        for _ in run_unit(parse_spec(spec)):
            pass
    return time.monotonic() - start
