"""Timing the steps of networks inside of networks, and whole networks beside them.

Source: ours. A layer that is timed alone finds its input and its weights in the cache; its sum with the others is then
less than what a network takes. So layers are timed between their neighbours, by reading the clock there, in networks
that show each of them in changing company. That costs as many runs of networks as a layer has alternatives, whatever
the number of candidates.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.network import Network
from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.core.batch_norm import calibrate
from nasray.trainables.core.compute import place, place_module
from nasray.trainables.core.seeding import generator, seed_global_generators
from nasray.trainables.latency.coverage import covering_networks, varied_networks
from nasray.trainables.latency.steps import Step, architecture_steps, block_steps, build_step
from nasray.trainables.latency.stopwatch import Stopwatch, stopwatch_for, time_stages
from nasray.trainables.settings.compute import ComputeConfig

# What else a machine does only adds to a time: the lower decile is near to what the device does when it is left alone.
QUANTILE = 0.1
_CALIBRATION_IMAGES = 8


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """How latencies are measured.

    Attributes:
        batch_size: Images that a network is given at once.
        num_repeats: How often each step, and each whole network, is timed at least.
        num_networks: How many whole networks are timed.
    """

    batch_size: int = 1
    num_repeats: int = 30
    num_networks: int = 40

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("num_repeats", 4), ("num_networks", 2)):
            if getattr(self, name) < least:
                raise UserError(f"{name} must be at least {least}, got {getattr(self, name)}")


class LatencyMeter:
    """Times the steps of a space's networks, and some whole networks, in rounds.

    Attributes:
        networks: The whole networks.
        stopwatch: What they are timed by.
    """

    def __init__(
        self,
        space: SearchSpace,
        settings: LatencySettings,
        compute: ComputeConfig,
        device: torch.device,
        seed: int,
    ) -> None:
        self.networks: list[Architecture] = varied_networks(
            space, settings.num_networks, generator(seed, "latency", "networks")
        )
        self.stopwatch: Stopwatch = stopwatch_for(device, compute.num_threads)
        self._space, self._settings, self._compute, self._device = space, settings, compute, device
        self._rng = generator(seed, "latency", "order")
        self._covering = covering_networks(space, settings.num_repeats, self._rng)
        self._modules: dict[Step, nn.Module] = {}
        self._step_seconds: dict[Step, list[float]] = {}
        self._network_seconds: list[list[float]] = [[] for _ in self.networks]
        seed_global_generators(seed, "latency", "weights")
        self._images = place(compute, torch.randn(settings.batch_size, *space.input_shape), device)
        with _undisturbed(compute.num_threads):
            self._build()

    def measure(self) -> Iterator[int]:
        """Time everything; after each of `num_repeats` rounds, yields its number.

        A round times a share of the networks that show the steps, and each whole network once, in a shuffled order.
        """
        order = self._rng.permutation(len(self._covering))
        for number, share in enumerate(np.array_split(order, self._settings.num_repeats)):
            with _undisturbed(self._compute.num_threads):
                self._measure_round([self._covering[index] for index in share])
            yield number

    def step_seconds(self) -> dict[Step, float]:
        """Seconds that each step takes inside a network."""
        return {step: float(np.quantile(times, QUANTILE)) for step, times in self._step_seconds.items()}

    def network_seconds(self, rounds: slice = slice(None)) -> NDArray[np.float64]:
        """Seconds that each of the whole networks takes, [N], from all rounds or some."""
        return np.quantile([times[rounds] for times in self._network_seconds], QUANTILE, axis=1)

    def _measure_round(self, covering: Sequence[Architecture]) -> None:
        jobs = [partial(self._time_steps, architecture) for architecture in covering]
        jobs += [partial(self._time_network, index) for index in range(len(self.networks))]
        for index in self._rng.permutation(len(jobs)):
            jobs[index]()

    def _time_steps(self, architecture: Architecture) -> None:
        steps = architecture_steps(self._space, architecture)
        modules = [self._modules[step] for step in steps]
        for step, seconds in zip(steps, time_stages(modules, self._images, self.stopwatch), strict=True):
            self._step_seconds.setdefault(step, []).append(seconds)

    def _time_network(self, index: int) -> None:
        network = self._assemble(self.networks[index])
        self._network_seconds[index] += time_stages([network], self._images, self.stopwatch)

    def _assemble(self, architecture: Architecture) -> Network:
        """The architecture's network, of the modules that its steps share with others."""
        blocks = [[self._modules[step] for step in steps] for steps in block_steps(self._space, architecture)]
        head = blocks[-1].pop()
        return Network([nn.Sequential(*modules) for modules in blocks], head).eval()

    def _build(self) -> None:
        """Build every step's module, its batch norms set so that values neither grow nor vanish.

        Numbers that vanish would be computed slowly on processors, which no trained network's are.
        """
        shape = (_CALIBRATION_IMAGES, *self._space.input_shape)
        images = place(self._compute, torch.randn(shape), self._device)
        for architecture in self._covering:
            steps = architecture_steps(self._space, architecture)
            if all(step in self._modules for step in steps):
                continue
            x = images
            for step in steps:
                if step in self._modules:
                    x = self._modules[step](x)
                    continue
                module = place_module(self._compute, build_step(self._space, step), self._device)
                (x,) = calibrate(module, [x])
                self._modules[step] = module


@contextmanager
def _undisturbed(num_threads: int) -> Iterator[None]:
    """Computes as in use: without gradients, garbage collection, and what makes training reproducible at a price."""
    threads, collects = torch.get_num_threads(), gc.isenabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(num_threads)
    torch.use_deterministic_algorithms(mode=False)
    gc.disable()
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        if collects:
            gc.enable()
