import time

import pytest
import torch

from nasray.trainables.core.compute import place, prepare
from nasray.trainables.core.training import NonFiniteLossError, train_epoch
from nasray.trainables.settings.compute import ComputeConfig


class Counting:
    """A method whose step reports the batch's mean."""

    num_epochs = 1

    def __init__(self, batches, delay=0.0):
        self._batches, self._delay = batches, delay

    def start_epoch(self, epoch):
        for batch in self._batches:
            time.sleep(self._delay)
            yield torch.tensor(batch)

    def step(self, batch):
        return {"mean": batch.mean()}, len(batch)

    def evaluate(self, epoch):
        return {"epoch_seen": float(epoch)}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_averages_weigh_samples_and_not_batches():
    metrics = train_epoch(Counting([[1.0, 1.0, 1.0], [5.0]]), 3)
    assert metrics["mean"] == pytest.approx(2.0)
    assert metrics["epoch_seen"] == 3


def test_waiting_for_batches_is_told():
    assert train_epoch(Counting([[1.0]] * 3, delay=0.02), 0)["data_wait_share"] > 0.8


def test_a_loss_that_is_not_finite_stops_the_training_and_is_named():
    with pytest.raises(NonFiniteLossError, match=r"mean must stay finite, became nan in epoch 2"):
        train_epoch(Counting([[1.0], [float("nan")]]), 1)


def test_images_are_placed_in_the_configured_layout():
    images = torch.zeros(2, 3, 4, 4)
    device = torch.device("cpu")
    assert place(ComputeConfig(), images, device).is_contiguous(memory_format=torch.channels_last)
    assert place(ComputeConfig(channels_last=False), images, device).is_contiguous()
    assert place(ComputeConfig(), torch.zeros(2, 5), device).shape == (2, 5)


def test_prepare_sets_the_threads():
    before = torch.get_num_threads()
    try:
        assert prepare(ComputeConfig(device="cpu", num_threads=2)) == torch.device("cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_prepare_keeps_float32_from_being_tf32():
    switches = (torch.backends.cudnn, torch.backends.cuda.matmul)
    for switch in switches:
        switch.allow_tf32 = True
    prepare(ComputeConfig(device="cpu"))
    assert [switch.allow_tf32 for switch in switches] == [False, False]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_cuda_without_a_gpu_is_an_error():
    with pytest.raises(ValueError, match="sees no GPU"):
        prepare(ComputeConfig(device="cuda"))
