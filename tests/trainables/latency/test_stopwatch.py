import time

import pytest
import torch

from nasray.trainables.latency.stopwatch import stopwatch_for, time_stages

CPU = torch.device("cpu")


def sleep(x):
    time.sleep(0.02)
    return x


def work(x):
    for _ in range(200):
        x = torch.sin(x)
    return x


def test_stages_are_timed_apart_and_in_their_order():
    stopwatch = stopwatch_for(CPU, 2)
    assert stopwatch.name == "wall_time"
    first, second, third = time_stages([sleep, torch.sin, sleep], torch.zeros(10), stopwatch)
    assert min(first, third) >= 0.02
    assert 0 <= second < 0.02


def test_one_thread_is_timed_by_its_own_time():
    """What sleeps, as a program does whose turn it is not, is not counted."""
    stopwatch = stopwatch_for(CPU, 1)
    assert stopwatch.name == "thread_time"
    slept, worked = time_stages([sleep, work], torch.zeros(100_000), stopwatch)
    assert slept < 0.01 < worked


def test_stages_run_once_before_they_are_timed():
    seen = []

    def stage(x):
        seen.append(float(x))
        return x + 1

    assert len(time_stages([stage, stage], torch.zeros(()), stopwatch_for(CPU, 1))) == 2
    assert seen == [0, 1, 0, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_timed_by_its_own_clock():
    device = torch.device("cuda")
    seconds = time_stages([work, work], torch.zeros(1_000_000, device=device), stopwatch_for(device, 1))
    assert all(0 < one < 1 for one in seconds)
