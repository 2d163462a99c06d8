"""Takes steps of the unit that trains a cell, in a process of its own, in a thread as Tune's trials are.

It imports no more than they need, since its memory may be limited. `measured` is what other benchmarks call; it runs

    python benchmarks/unit_steps.py SPEC STEPS GROUP KEEP
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nasray.trainables.block_wise.step import BlockDistillation
from nasray.trainables.block_wise.units.cell import BlockSpec, build_data, build_supernet
from nasray.trainables.core import training
from nasray.trainables.units import parse_spec

_WARM_UP = 5


def take_steps(spec_file: Path, num_steps: int, group: str) -> dict[str, float]:
    """Seconds of a step and the share of it that is waiting for features, medians; peak of resident memory, MB.

    Args:
        spec_file: The unit.
        num_steps: How many are timed, after some that are not.
        group: Where this process joins a control group, if it shall.
    """
    if group:
        Path(group).write_text(str(os.getpid()), encoding="utf-8")
    spec = parse_spec(json.loads(spec_file.read_text(encoding="utf-8")))
    assert isinstance(spec, BlockSpec)
    data, supernet = build_data(spec.inputs, spec.target.block), build_supernet(spec.inputs, spec.target)
    method = BlockDistillation(
        supernet, data, spec.target.config, block=spec.target.block, seed=0, name=spec.name
    )
    batches, steps, waits = iter(method.start_epoch(0)), [], []
    for _ in range(_WARM_UP + num_steps):
        start = time.perf_counter()
        batch = next(batches)
        there = time.perf_counter()
        method.step(batch)
        end = time.perf_counter()
        steps.append(end - start)
        waits.append((there - start) / (end - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    medians = map(statistics.median, (steps[_WARM_UP:], waits[_WARM_UP:]))
    return {**dict(zip(("step", "wait"), medians, strict=True)), "peak": peak}


def measured(spec_file: Path, num_steps: int, *, group: str = "", keep: bool = True) -> dict[str, float]:
    """What `take_steps` gives in a new process.

    Args:
        spec_file: The unit.
        num_steps: How many steps are timed.
        group: Where the process joins a control group, if it shall.
        keep: Whether it keeps memory that is freed, see `trainables/core/allocation.py`.
    """
    command = [sys.executable, __file__, str(spec_file), str(num_steps), group, str(keep)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


if __name__ == "__main__":
    spec_file, num_steps, group, keep = sys.argv[1:]
    if keep != "True":
        training.keep_freed_memory = lambda: None
    with ThreadPoolExecutor(1) as thread:
        print(json.dumps(thread.submit(take_steps, Path(spec_file), int(num_steps), group).result()))
