import copy
from itertools import pairwise

import pytest
import torch

from search_spaces.mbconv import digits
from trainables.accuracy import accuracy
from trainables.data import DataConfig, load_data
from trainables.retrain.config import TrainConfig
from trainables.retrain.step import SupervisedTraining
from trainables.training import ComputeConfig, train_epoch

COMPUTE = ComputeConfig(device="cpu")


@pytest.fixture(scope="module")
def images():
    return load_data(DataConfig(num_train_images=256, num_held_out_images=100), seed=0)


def training(images, **settings):
    space = digits((1, 8, 8), 10)
    torch.manual_seed(0)
    model = space.build(space.smallest())
    config = TrainConfig(**{"epochs": 4, "batch_size": 64, "optimizer": "adamw", "lr": 0.01} | settings)
    return model, SupervisedTraining(model, images, config, COMPUTE, seed=0)


@pytest.mark.parametrize(
    "settings", [{}, {"optimizer": "sgd", "lr": 0.1, "label_smoothing": 0.1, "gradient_clip": 1.0}]
)
def test_a_classifier_learns(images, settings):
    model, method = training(images, epochs=12, batch_size=32, **settings)
    before = accuracy(model, images.held_out, COMPUTE)
    metrics = [train_epoch(method, epoch) for epoch in range(12)]
    assert metrics[-1]["held_out_accuracy"] > before + 0.3
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]


def test_the_rate_warms_up_and_falls_to_zero(images):
    _, method = training(images, lr=1.0, warmup_epochs=1.0, epochs=5)
    rates = [method._lr(step) for step in range(20)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == 1.0
    assert all(later < earlier for earlier, later in pairwise(rates[4:]))
    assert rates[12] == pytest.approx(0.5)
    assert rates[-1] < 0.02


def test_resuming_gives_the_same_bytes_as_never_stopping(images):
    whole, method = training(images)
    for epoch in range(4):
        train_epoch(method, epoch)
    _, first = training(images)
    for epoch in range(2):
        train_epoch(first, epoch)
    resumed, second = training(images)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for epoch in range(2, 4):
        train_epoch(second, epoch)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_accuracy_is_the_share_of_right_answers(images):
    class Knowing(torch.nn.Module):
        def forward(self, batch):
            return torch.nn.functional.one_hot(self.answers.pop(0), 10).float()

    model = Knowing()
    labels = images.held_out.labels(range(100))
    wrong = labels.clone()
    wrong[:25] = (wrong[:25] + 1) % 10
    model.answers = [wrong]
    assert accuracy(model, images.held_out, COMPUTE) == pytest.approx(0.75)
