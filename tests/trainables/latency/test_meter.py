import gc

import numpy as np
import pytest
import torch

from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.latency.meter import LatencyMeter, LatencySettings
from nasray.trainables.latency.steps import Step, all_steps, architecture_steps
from nasray.trainables.settings.compute import ComputeConfig

SPACE = digits((1, 8, 8), 10)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def meter():
    settings = LatencySettings(num_repeats=6, num_networks=8)
    meter = LatencyMeter(SPACE, settings, ComputeConfig(device="cpu"), CPU, seed=0)
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), gc.isenabled()
    assert list(meter.measure()) == list(range(6))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), gc.isenabled()) == before
    assert not torch.is_inference_mode_enabled()
    return meter


def test_every_step_is_timed_and_sums_tell_whole_networks(meter):
    seconds = meter.step_seconds()
    assert seconds.keys() == all_steps(SPACE)
    sums = [sum(seconds[step] for step in architecture_steps(SPACE, one)) for one in meter.networks]
    ratios = meter.network_seconds() / np.array(sums)
    assert 0.7 < np.median(ratios) < 1.4  # the machine may be busy; see benchmarks/latency.py for the errors


def test_more_work_takes_longer(meter):
    seconds = meter.step_seconds()
    skip, layer = (Step("layer", 0, 1, operation, 16, 16) for operation in ("skip", "mb6k3"))
    assert 0 <= seconds[skip] < seconds[layer] / 5


def test_halves_of_the_rounds_are_measurements_of_their_own(meter):
    halves = [meter.network_seconds(slice(start, None, 2)) for start in (0, 1)]
    assert halves[0].shape == halves[1].shape == (8,)
    assert not np.array_equal(*halves)


def test_a_batch_takes_longer_than_an_image():
    settings = LatencySettings(batch_size=16, num_repeats=4, num_networks=2)
    meter = LatencyMeter(SPACE, settings, ComputeConfig(device="cpu"), CPU, seed=0)
    for _ in meter.measure():
        pass
    assert all(0.001 < seconds < 10 for seconds in meter.network_seconds())


@pytest.mark.parametrize(("name", "least"), [("batch_size", 1), ("num_repeats", 4), ("num_networks", 2)])
def test_too_little_is_refused(name, least):
    with pytest.raises(ValueError, match=f"{name} must be at least {least}, got {least - 1}"):
        LatencySettings(**{name: least - 1})
