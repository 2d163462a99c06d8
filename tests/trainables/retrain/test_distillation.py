import copy

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.core.training import train_epoch
from nasray.trainables.cutting.cutting import cut
from nasray.trainables.data.image_data import load_data
from nasray.trainables.retrain.distillation import Distillation, build_adapters, teacher_epoch
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.training import DistillationConfig, TrainConfig
from nasray.trainables.supervised.step import SupervisedTraining

COMPUTE = ComputeConfig(device="cpu")
CUTS = ["blocks.0", "blocks.1", "blocks.2"]


@pytest.fixture(scope="module")
def images():
    return load_data(DataConfig(num_train_images=192, num_held_out_images=100), seed=0)


@pytest.fixture(scope="module")
def trained_teacher(images):
    space = digits((1, 8, 8), 10)
    torch.manual_seed(1)
    model = space.build("2x16:mb3k3,mb3k3/2x24:mb3k3,mb3k3/2x40:mb3k3,mb3k3")
    config = TrainConfig(epochs=6, batch_size=32, optimizer="adamw", lr=0.01)
    method = SupervisedTraining(model, images, config, COMPUTE, seed=0)
    for epoch in range(6):
        train_epoch(method, epoch)
    return cut(model, CUTS, (1, 8, 8))


def student():
    space = digits((1, 8, 8), 10)
    torch.manual_seed(0)
    return space.build("2x16:mb3k3,mb3k3/2x24:mb3k3,mb3k3/2x32:mb3k3,mb3k3")


def distil(model, images, teacher, epochs=4, **settings):
    torch.manual_seed(2)
    adapters = build_adapters([(16, 8, 8), (24, 4, 4), (32, 2, 2)], [(16, 8, 8), (24, 4, 4), (40, 2, 2)])
    distillation = Distillation(adapters, lambda _epoch: teacher, DistillationConfig(**settings))
    config = TrainConfig(epochs=epochs, batch_size=32, optimizer="adamw", lr=0.01)
    method = SupervisedTraining(model, images, config, COMPUTE, seed=0, guide=distillation)
    return distillation, method


@torch.no_grad()
def kl_to(teacher, model, split):
    batch = split.images(range(len(split)))
    answers = model.eval()(batch).log_softmax(1)
    return float(F.kl_div(answers, teacher(batch).log_softmax(1), reduction="batchmean", log_target=True))


def test_the_loss_is_that_of_the_formula(images, trained_teacher):
    model = student()
    distillation, _ = distil(model, images, trained_teacher, logits=0.7, temperature=3.0, features=0.2)
    batch = images.train.images(range(16))
    distillation.start_epoch(0)
    taught = distillation(model.eval(), batch)
    with torch.no_grad():
        torch.testing.assert_close(taught.logits, model(batch))
        target = trained_teacher(batch) / 3
        kl = (target.softmax(1) * (target.log_softmax(1) - (taught.logits / 3).log_softmax(1))).sum(1).mean()
        torch.testing.assert_close(taught.distances["logit_distance"], 9 * kl)
        maps, errors = batch, []
        wanted = trained_teacher.features(batch, up_to=3)[1:]
        for block, adapter, teachers in zip(model.blocks, distillation.adapters, wanted, strict=True):
            maps = block(maps)
            variance = teachers.var(dim=(0, 2, 3), keepdim=True)
            errors.append(((adapter(maps) - teachers) ** 2 / variance).mean())
        expected = torch.stack(errors).mean()
    torch.testing.assert_close(taught.distances["feature_distance"], expected, rtol=1e-3, atol=1e-4)
    weighted = 0.7 * taught.distances["logit_distance"] + 0.2 * taught.distances["feature_distance"]
    torch.testing.assert_close(taught.loss.detach(), weighted)


def test_distillation_brings_the_student_nearer_to_the_teacher(images, trained_teacher):
    apart, taught = student(), student()
    config = TrainConfig(epochs=10, batch_size=32, optimizer="adamw", lr=0.01)
    alone = SupervisedTraining(apart, images, config, COMPUTE, seed=0)
    _, method = distil(taught, images, trained_teacher, epochs=10, logits=5.0, temperature=2.0)
    for epoch in range(10):
        train_epoch(alone, epoch)
        metrics = train_epoch(method, epoch)
    assert metrics["logit_distance"] > 0
    assert "feature_distance" not in metrics
    for split in (images.train, images.held_out):
        assert kl_to(trained_teacher, taught, split) < 0.6 * kl_to(trained_teacher, apart, split)


def test_features_are_learned_with_adapters_that_are_dropped(images, trained_teacher):
    model = student()
    before = set(model.state_dict())
    distillation, method = distil(model, images, trained_teacher, logits=0.0, features=1.0)
    weights = copy.deepcopy(distillation.adapters.state_dict())
    metrics = [train_epoch(method, epoch) for epoch in range(4)]
    assert [type(adapter).__name__ for adapter in distillation.adapters] == ["Identity", "Identity", "Conv2d"]
    assert metrics[-1]["feature_distance"] < 0.9 * metrics[0]["feature_distance"]
    assert "logit_distance" not in metrics[0]
    assert all(not torch.equal(value, weights[name]) for name, value in distillation.state_dict().items())
    assert set(method.trained.state_dict()) == before


def test_the_teacher_does_not_change(images, trained_teacher):
    before = copy.deepcopy(trained_teacher.state_dict())
    _, method = distil(student(), images, trained_teacher, features=1.0)
    train_epoch(method, 0)
    assert all(torch.equal(value, before[name]) for name, value in trained_teacher.state_dict().items())


def test_resuming_with_adapters_gives_the_same_bytes(images, trained_teacher):
    whole, parts = student(), [student(), student()]
    methods = [distil(model, images, trained_teacher, features=1.0)[1] for model in (whole, *parts)]
    for epoch in (0, 1):
        train_epoch(methods[0], epoch)
    train_epoch(methods[1], 0)
    methods[2].load_state_dict(copy.deepcopy(methods[1].state_dict()))
    train_epoch(methods[2], 1)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts[1].state_dict()[name]), name


@pytest.mark.parametrize(
    ("num_epochs", "num_teacher_epochs", "expected"),
    [(3, 3, [1, 2, 3]), (2, 4, [2, 4]), (5, 2, [1, 1, 2, 2, 2]), (3, 5, [2, 4, 5])],
)
def test_the_teachers_epoch_is_as_far_on_as_the_students(num_epochs, num_teacher_epochs, expected):
    assert [teacher_epoch(e, num_epochs, num_teacher_epochs) for e in range(num_epochs)] == expected


def test_a_distillation_of_nothing_is_refused():
    with pytest.raises(ValidationError, match="logits or features must be greater than 0"):
        DistillationConfig(logits=0, features=0)
