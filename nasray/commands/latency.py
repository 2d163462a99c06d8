"""Measuring how long each candidate of a run takes on this machine, so that rankings can keep a budget of latency.

It runs in this process: a device is measured where it is, and without neighbours. No trained weights are needed, only
the search space; the tables of ratings stay as they are.
"""

import platform
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.progress import Progress

from nasray.analysis.trust.latency import Correction, fit_correction, repeatability
from nasray.errors import UserError
from nasray.inputs.shared import planned_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.architecture import Candidate
from nasray.search_spaces.artefacts.columns import CANDIDATE, CELL, IN_CHANNELS, LATENCY_MS
from nasray.search_spaces.artefacts.costs import COSTS
from nasray.search_spaces.artefacts.measured_tables import write_measured
from nasray.search_spaces.chain.space import SearchSpace
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.core.compute import memory_format
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.latency.meter import QUANTILE, LatencyMeter, LatencySettings
from nasray.trainables.latency.steps import Step, architecture_steps, candidate_steps
from nasray.trainables.settings.compute import ComputeConfig

Device = Literal["cpu", "cuda"]


def measure_latency(
    run: Path, settings: LatencySettings, device: Device | None = None, *, console: Console | None = None
) -> dict[str, Any]:
    """Measure the latency of every candidate of a run; leaves the tables and `latency.json` in the run's folder.

    An earlier measurement is replaced as a whole.

    Args:
        run: The run's folder, which has its config.
        settings: How it is measured.
        device: Where; None: where the run computes.
        console: Where to show the progress; None: nowhere.

    Returns:
        The content of `latency.json`: `device`, `device_name`, `clock`, `batch_size`, `num_threads`, `dtype`,
        `channels_last`, `torch`, `num_repeats`, `quantile` over the repeats, `num_steps` that were timed apart,
        `seconds` that it took; `scale`, the factor from sums of steps to whole networks, which the tables hold
        already; `additivity`, see `fit_correction`; and `noise`, what every second round says of the
        same networks against the others.

    Raises:
        UserError: The folder is no run's, has no search of the method dna, or there is no such device.
    """
    folder = RunFolder(run.absolute())
    config = folder.reopen()
    space = _space(config, folder)
    compute = config.compute if device is None else config.compute.model_copy(update={"device": device})
    with folder.locked():
        steps, figures = measure_space(space, settings, compute, config.seed, console=console)
        tables = [latency_table(space, k, steps) for k in range(len(space.blocks))]
        write_measured(folder.path, COSTS[LATENCY_MS], tables, figures)
    return figures


def measure_space(
    space: SearchSpace,
    settings: LatencySettings,
    compute: ComputeConfig,
    seed: int,
    *,
    console: Console | None = None,
) -> tuple[dict[Step, float], dict[str, Any]]:
    """Seconds of each step of a space's networks, corrected, and the figures of `measure_latency`.

    Raises:
        UserError: There is no such device, or the space holds a single network.
    """
    device = _device(compute)
    started = time.monotonic()
    meter = LatencyMeter(space, settings, compute, device, seed)
    _run(meter, settings, console or Console(quiet=True))
    steps = meter.step_seconds()
    correction = _correct(space, meter, steps)
    figures = {
        **_conditions(compute, device, meter, settings),
        "num_steps": len(steps),
        "seconds": time.monotonic() - started,
        "scale": correction.scale,
        "additivity": correction.figures,
        "noise": repeatability(*(meter.network_seconds(slice(start, None, 2)) for start in (0, 1))),
    }
    return {step: correction.scale * seconds for step, seconds in steps.items()}, figures


def latency_table(space: SearchSpace, block: int, step_seconds: Mapping[Step, float]) -> pd.DataFrame:
    """The latency of each candidate of a block and entry width, in milliseconds; the rows of a network add up to its.

    The columns are `candidate`, `cell`, `in_channels`, `latency_ms`. Block 0 bears the stem's, the last block the
    head's.
    """
    table = space.candidate_table(block)[[CANDIDATE, CELL, IN_CHANNELS]]
    latencies = [
        1000 * sum(step_seconds[step] for step in candidate_steps(space, block, Candidate.parse(text), width))
        for text, width in zip(table[CANDIDATE], table[IN_CHANNELS], strict=True)
    ]
    return table.assign(**{LATENCY_MS: latencies})


def _space(config: ExperimentConfig, folder: RunFolder) -> SearchSpace:
    inputs = planned_inputs(config, folder)
    if not isinstance(inputs, SearchInputs):
        raise UserError(
            f"RUN must hold a search of the method dna, whose candidates are measured; {folder.path} has none"
        )
    return inputs.space


def _device(compute: ComputeConfig) -> torch.device:
    """The device to measure; not prepared for reproducible training, which is slower."""
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise UserError("the device is cuda, but this process sees no GPU: use --device cpu")
    return torch.device("cuda" if compute.device != "cpu" and torch.cuda.is_available() else "cpu")


def _run(meter: LatencyMeter, settings: LatencySettings, console: Console) -> None:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Measuring", total=settings.num_repeats)
        for _ in meter.measure():
            progress.advance(task)


def _correct(space: SearchSpace, meter: LatencyMeter, steps: Mapping[Step, float]) -> Correction:
    sums = [sum(steps[step] for step in architecture_steps(space, network)) for network in meter.networks]
    return fit_correction(np.array(sums, np.float64), meter.network_seconds())


def _conditions(
    compute: ComputeConfig, device: torch.device, meter: LatencyMeter, settings: LatencySettings
) -> dict[str, Any]:
    """What was measured on, and how."""
    return {
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "clock": meter.stopwatch.name,
        "num_threads": compute.num_threads,
        "dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "channels_last": memory_format(compute) == torch.channels_last,
        "torch": torch.__version__,
        **asdict(settings),
        "quantile": QUANTILE,
    }


def _processor() -> str:
    """The name of this machine's processor, as well as the system tells it."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
