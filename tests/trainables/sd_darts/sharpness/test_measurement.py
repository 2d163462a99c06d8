import copy
import dataclasses
import math
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from nasray.trainables.core.batch_norm import with_batch_statistics
from nasray.trainables.sd_darts.sharpness.measurement import Measurement
from nasray.trainables.sd_darts.sharpness.noise_slope import weight_noise_slope
from nasray.trainables.sd_darts.voting.self_distillation import SelfDistillation
from nasray.trainables.sd_darts.voting.teachers import build_teachers
from nasray.trainables.settings.sd_darts import MeasurementConfig, SelfDistillationConfig

SETTINGS = MeasurementConfig(num_images=24, calibration_images=32, noise_sigmas=(0.05, 0.1))


@pytest.fixture
def measurement(halves, images, compute):
    return Measurement(halves, images, SETTINGS, compute, seed=0)


@pytest.fixture
def quick(halves, images, compute):
    settings = SETTINGS.model_copy(update={"num_images": 6, "full_hessian_up_to": 0})
    return Measurement(halves, images, settings, compute, seed=0)


@pytest.fixture
def taught(tmp_path):
    """Self-distillation of a supernet with two snapshots of it before it moved."""

    def build(net, **settings):
        of_snapshots = {} if settings.get("teacher") == "ema" else {"num_snapshots": 2}
        config = SelfDistillationConfig(start_epoch=0, **of_snapshots, **settings)
        teachers = build_teachers(config, net, tmp_path, num_images=48, num_classes=10)
        found = SelfDistillation(teachers, config)
        for epoch in range(2):
            found.start_epoch(epoch)
            found.after_epoch()
            move(net)
        return found

    return build


def move(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)


def with_dropout(space):
    return dataclasses.replace(space, dropout=0.5)


def everything(net):
    return {
        "state": copy.deepcopy(net.state_dict()),
        "modes": [module.training for module in net.modules()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
        "wanted": [p.requires_grad for p in net.parameters()],
    }


def equal(one, other):
    return pickle.dumps(jsonable(one)) == pickle.dumps(jsonable(other))


def jsonable(value):
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def generators():
    legacy = np.random.get_state()  # noqa: NPY002 - users' modules may draw from the legacy generator
    return random.getstate(), legacy[1].tobytes(), legacy[2:], torch.get_rng_state()


@pytest.mark.parametrize(("every", "due"), [(1, [0, 1, 2, 3, 4]), (2, [1, 3, 4]), (10, [4])])
def test_the_last_epoch_is_always_measured(halves, images, compute, every, due):
    measurement = Measurement(halves, images, MeasurementConfig(every_epochs=every), compute, seed=0)
    assert [epoch for epoch in range(5) if measurement.is_due(epoch, 5)] == due


@pytest.mark.parametrize("kind", ["chain", "dropout", "cells", "noise"])
def test_nothing_changes_by_being_measured(request, quick, supernet, taught, kind, space):
    net = supernet(
        {
            "chain": lambda: space,
            "dropout": lambda: with_dropout(space),
            "cells": lambda: request.getfixturevalue("cell_space"),
            "noise": lambda: request.getfixturevalue("noisy_space"),
        }[kind]()
    ).train()
    distillation = taught(net)
    before, random_before = everything(net), generators()
    first = quick.measure(net, net.discretize(), distillation)
    assert equal(everything(net), before)
    assert equal(generators(), random_before)
    again = quick.measure(net, net.discretize(), distillation)
    del first["resident_bytes"], again["resident_bytes"]
    assert first == again
    assert all(math.isfinite(value) for value in first.values())


@pytest.mark.parametrize("kind", ["space", "cell_space"])
def test_accuracies_are_those_with_norms_of_their_own(request, measurement, halves, images, supernet, kind):
    net = supernet(request.getfixturevalue(kind))
    for _ in range(5):
        net(halves.fixed("train", 48).images)
    architecture = net.discretize()
    found = measurement.measure(net, architecture, None)
    held_out = images.held_out.images(range(40)), images.held_out.labels(range(40))
    accuracies = []
    for weights in (None, net.one_hot(architecture)):
        by_hand = copy.deepcopy(net).train()
        for module in by_hand.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0  # all calibration images are one batch, whose statistics are taken over
        with torch.no_grad():
            by_hand(halves.fixed("train", 32).images, weights)
            answers = by_hand.eval()(held_out[0], weights).argmax(1)
        accuracies.append(float((answers == held_out[1]).float().mean()))
    whole, discretized = found["held_out_accuracy"], found["held_out_discretized_accuracy"]
    assert [whole, discretized] == pytest.approx(accuracies)
    assert found["discretization_gap"] == whole - discretized
    assert "distillation_gradient_ratio" not in found


def test_all_calibration_images_count_alike(halves, images, compute, supernet, monkeypatch):
    """A last batch of one image would count as much as a whole one."""
    sizes = []
    monkeypatch.setattr("nasray.trainables.sd_darts.sharpness.measurement.EVALUATION_BATCH", 16)
    monkeypatch.setattr(
        "nasray.trainables.sd_darts.sharpness.measurement.reestimate",
        lambda model, batches: sizes.append([len(batch) for batch in batches]),
    )
    settings = SETTINGS.model_copy(update={"calibration_images": 33})
    net = supernet()
    Measurement(halves, images, settings, compute, seed=0).measure(net, net.discretize(), None)
    assert sizes == [[11, 11, 11]] * 2


def test_sharpness_is_that_of_the_alphas_half(measurement, halves, supernet):
    net = supernet()
    frozen, batch = with_batch_statistics(net), halves.fixed("val", 24)
    names = [f"arch_parameters.{name}" for name in net.arch_parameters]
    shapes = [frozen.get_parameter(name).shape for name in names]
    start = torch.cat([frozen.get_parameter(name).flatten() for name in names])

    def loss(flat):
        parts = flat.split([shape.numel() for shape in shapes])
        state = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return nn.functional.cross_entropy(functional_call(frozen, state, (batch.images,)), batch.labels)

    matrix = torch.autograd.functional.hessian(loss, start).numpy()
    found = measurement.measure(net, net.discretize(), None)
    assert found["alpha_eigenvalue"] == pytest.approx(np.linalg.eigvalsh(matrix).max(), rel=1e-3)
    slope = weight_noise_slope(
        lambda: nn.functional.cross_entropy(frozen(batch.images), batch.labels),
        frozen.network_parameters(),
        sigmas=(0.05, 0.1),
        seed=0,
    )
    assert found["weight_noise_slope"] == pytest.approx(slope)


@pytest.mark.parametrize(
    "settings", [{"mode": "forward"}, {"weight": 0.3}, {"norm": "running"}, {"teacher": "ema"}]
)
def test_the_teachers_pull_is_a_ratio_of_gradients(measurement, halves, supernet, taught, settings):
    net = supernet().train()
    distillation = taught(net, **settings)
    if settings.get("teacher") == "ema":
        distillation.after_step()
        move(net)
    found = measurement.measure(net, net.discretize(), distillation)["distillation_gradient_ratio"]
    batch, norms = halves.fixed("train", 24), []
    target = distillation.target(batch)
    for of_teachers in (True, False):
        by_hand = copy.deepcopy(net).train()
        logits = by_hand(batch.images)
        loss = (
            distillation.loss(target, logits)
            if of_teachers
            else nn.functional.cross_entropy(logits, batch.labels)
        )
        loss.backward()
        gradients = [p.grad.flatten() for p in by_hand.network_parameters() if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
    assert found == pytest.approx(norms[0] / norms[1], rel=1e-4)
    assert found > 0


def test_teachers_of_the_alphas_do_not_pull_at_the_weights(measurement, supernet, taught):
    net = supernet().train()
    distillation = taught(net, applies_to="alpha")
    assert "distillation_gradient_ratio" not in measurement.measure(net, net.discretize(), distillation)


def test_the_cross_entropy_is_that_of_the_alphas_half(measurement, halves, supernet):
    net = supernet().train()
    batch = halves.fixed("val", 24)
    with torch.no_grad():
        expected = nn.functional.cross_entropy(with_batch_statistics(net)(batch.images), batch.labels)
    found = measurement.measure(net, net.discretize(), None)
    assert found["val_cross_entropy"] == pytest.approx(expected.item())


def test_teachers_that_are_silent_have_no_pull(measurement, supernet, tmp_path):
    net, config = supernet(), SelfDistillationConfig(start_epoch=2)
    teachers = build_teachers(config, net, tmp_path, num_images=48, num_classes=10)
    distillation = SelfDistillation(teachers, config)
    assert "distillation_gradient_ratio" not in measurement.measure(net, net.discretize(), distillation)
