import copy

import pytest
import torch

from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.core.training import train_epoch
from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import AugmentConfig, DataConfig
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.accuracy import accuracy
from nasray.trainables.supervised.mixing import mixing
from nasray.trainables.supervised.step import SupervisedTraining

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
    "settings",
    [
        {},
        {"optimizer": "sgd", "lr": 0.1, "label_smoothing": 0.1, "gradient_clip": 1.0},
        {"optimizer": "rmsprop", "ema_decay": 0.99},
    ],
)
def test_a_classifier_learns(images, settings):
    model, method = training(images, epochs=12, batch_size=32, **settings)
    before = accuracy(model, images.held_out, COMPUTE)
    metrics = [train_epoch(method, epoch) for epoch in range(12)]
    assert metrics[-1]["held_out_accuracy"] > before + 0.3
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "optimizer": "rmsprop",
            "lr": 0.001,
            "schedule": "step",
            "ema_decay": 0.9,
            "mixup": 0.2,
            "cutmix": 1.0,
        },
    ],
    ids=["plain", "all"],
)
def test_resuming_gives_the_same_bytes_as_never_stopping(images, settings):
    def run(method, *epochs):
        for epoch in epochs:
            torch.manual_seed(epoch)
            train_epoch(method, epoch)
        return method

    _, method = training(images, **settings)
    whole = run(method, *range(4)).trained
    _, first = training(images, **settings)
    run(first, 0, 1)
    _, second = training(images, **settings)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    resumed = run(second, 2, 3).trained
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_moving_average_is_what_is_evaluated_and_left(images):
    model, method = training(images, ema_decay=0.9)
    plain, other = training(images)
    for epoch in range(2):
        metrics, plain_metrics = train_epoch(method, epoch), train_epoch(other, epoch)
    assert method.trained is not model
    assert other.trained is plain
    assert metrics["held_out_accuracy"] == accuracy(method.trained, images.held_out, COMPUTE)
    # The average follows the weights and changes nothing of them.
    assert metrics["train_loss"] == plain_metrics["train_loss"]
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    assert not torch.equal(method.trained.head[-1].weight, model.head[-1].weight)


def test_a_step_of_mixed_images_learns_the_mixed_labels(images):
    """The loss of the first step is the cross-entropy by hand, with the mixture that the generator draws."""
    model, method = training(images, mixup=1.0, label_smoothing=0.1)
    reference = copy.deepcopy(model)
    batch = next(iter(method.start_epoch(0)))
    torch.manual_seed(5)
    values, size = method.step(batch)
    torch.manual_seed(5)
    mixed, target = mixing(TrainConfig(mixup=1.0), 10)(*batch)
    logits = reference.train()(mixed.to(memory_format=torch.channels_last))
    smoothed = 0.9 * target + 0.1 / 10
    expected = -(smoothed * logits.log_softmax(1)).sum(1).mean()
    assert size == len(batch[1])
    torch.testing.assert_close(values["train_loss"], expected.detach())
    right = logits.argmax(1) == target.argmax(1)
    torch.testing.assert_close(values["train_accuracy"], right.float().mean())


def test_another_first_view_is_another_order_of_other_images():
    augmented = load_data(
        DataConfig(num_train_images=64, num_held_out_images=40, augment=AugmentConfig(crop_padding=1)), seed=0
    )

    def batch(first_view, epoch):
        space = digits((1, 8, 8), 10)
        method = SupervisedTraining(
            space.build(space.smallest()), augmented, TrainConfig(), COMPUTE, seed=0, first_view=first_view
        )
        return next(iter(method.start_epoch(epoch)))

    first, other, later = batch(0, 0), batch(3, 0), batch(0, 3)
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1], other[1])
    assert all(torch.equal(one, same) for one, same in zip(other, later, strict=True))


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
