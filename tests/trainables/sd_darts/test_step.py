import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasray.trainables.core.training import train_epoch
from nasray.trainables.sd_darts import architect
from nasray.trainables.sd_darts.step import SdDarts
from nasray.trainables.settings.sd_darts import EarlyStoppingConfig, SdDartsConfig

NOT_COMPARED = {"seconds", "samples_per_second", "data_wait_share", "resident_bytes"}
EVERY_EPOCH = {"num_snapshots": 2, "start_epoch": 1, "mode": "forward"}
KINDS = {
    "forward": EVERY_EPOCH,
    "running norms": {**EVERY_EPOCH, "norm": "running", "vote": "majority"},
    "steps": {**EVERY_EPOCH, "unit": "step", "every": 2, "num_snapshots": 3, "applies_to": "both"},
    "cache": {**EVERY_EPOCH, "mode": "cache", "vote": "mean_logit"},
    "ema": {"teacher": "ema", "ema_decay": 0.9, "start_epoch": 0},
    "smoothed labels": {**EVERY_EPOCH, "target": "smoothed_label"},
}


def run(method, epochs):
    metrics = []
    for epoch in epochs:
        torch.manual_seed(epoch)
        found = train_epoch(method, epoch)
        metrics.append({key: value for key, value in found.items() if key not in NOT_COMPARED})
    return metrics


def values(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def differing(one, other):
    return {name for name, tensor in one.items() if not torch.equal(tensor, other[name])}


@pytest.mark.parametrize("order", ["alpha_first", "weights_first"])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_step_is_that_of_plain_optimisers(search, order, clip):
    """Two first-order steps, by hand: Adam on the alphas' batch, and SGD on the weights'."""
    net, method = search(order=order, gradient_clip=clip, nesterov=True, self_distillation=None)
    by_hand = copy.deepcopy(net).train()
    sgd = torch.optim.SGD(by_hand.network_parameters(), 0.05, 0.9, weight_decay=3e-4, nesterov=True)
    adam = torch.optim.Adam(by_hand.alphas(), 0.01, (0.5, 0.999), weight_decay=1e-3)

    def update(optimizer, parameters, batch, largest):
        loss = F.cross_entropy(by_hand(batch.images), batch.labels)
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        if largest is not None:
            nn.utils.clip_grad_norm_(parameters, largest)
        optimizer.step()
        return loss.item()

    for train, val in list(method.start_epoch(0))[:2]:
        found, size = method.step((train, val))
        if order == "weights_first":
            train_loss = update(sgd, by_hand.network_parameters(), train, clip)
        val_loss = update(adam, by_hand.alphas(), val, None)
        if order == "alpha_first":
            train_loss = update(sgd, by_hand.network_parameters(), train, clip)
        assert size == len(train.rows)
        assert float(found["val_loss"]) == pytest.approx(val_loss, rel=1e-5)
        assert float(found["train_loss"]) == pytest.approx(train_loss, rel=1e-5)
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("taught", [False, True])
def test_the_second_order_is_the_architects(search, taught):
    distillation = {"start_epoch": 0, "unit": "step"} if taught else None
    net, method = search(second_order=True, self_distillation=distillation)
    batches = list(method.start_epoch(0))
    method.step(batches[0])
    train, val = batches[1]
    optimizer = torch.optim.SGD(net.network_parameters(), 0.05, 0.9, weight_decay=3e-4)
    optimizer.load_state_dict(copy.deepcopy(method.state_dict()["optimizer"]))
    target = method._distillation.target(train) if taught else None
    assert (target is not None) == taught

    def train_loss():
        logits = net(train.images)
        loss = F.cross_entropy(logits, train.labels)
        return loss + method._distillation.loss(target, logits) if taught else loss

    expected = architect.second_order(
        train_loss,
        lambda: F.cross_entropy(net(val.images), val.labels),
        net.network_parameters(),
        net.alphas(),
        optimizer,
        buffers=list(net.buffers()),
    )
    counts = [
        module.num_batches_tracked.item() for module in net.modules() if isinstance(module, nn.BatchNorm2d)
    ]
    method.step((train, val))
    for alpha, gradient in zip(net.alphas(), expected, strict=True):
        # Adam's weight decay is not added in place.
        torch.testing.assert_close(alpha.grad, gradient, rtol=1e-5, atol=1e-7)
    after = [
        module.num_batches_tracked.item() for module in net.modules() if isinstance(module, nn.BatchNorm2d)
    ]
    assert [count + 1 for count in counts] == after  # by the weights' own pass alone


@pytest.mark.parametrize("second_order", [False, True])
def test_teachers_that_weigh_nothing_change_no_byte(search, second_order):
    ends = []
    for distillation in (None, {"weight": 0}):
        measure = {"num_images": 8, "calibration_images": 8, "noise_sigmas": (0.1,)}
        net, method = search(
            self_distillation=distillation, second_order=second_order, measure=measure, epochs=2
        )
        metrics = run(method, range(2))
        state = method.state_dict()
        ends.append((metrics, values(net), state["alpha_optimizer"], method.architectures))
    assert ends[0][0] == ends[1][0]
    assert not differing(ends[0][1], ends[1][1])
    assert ends[0][3] == ends[1][3]
    assert str(ends[0][2]) == str(ends[1][2])


@pytest.mark.parametrize("kind", KINDS)
def test_teachers_are_felt_from_their_first_epoch_on(search, kind):
    plain_net, plain = search(self_distillation=None)
    net, method = search(self_distillation={**KINDS[kind], "start_epoch": 2})
    for epoch in range(3):
        without, with_teachers = run(plain, [epoch])[0], run(method, [epoch])[0]
        felt = epoch == 2
        assert bool(differing(values(plain_net), values(net))) == felt
        assert ("train_distillation_loss" in with_teachers) == felt
        assert (without == with_teachers) == (not felt)


@pytest.mark.parametrize("applies_to", ["weights", "alpha", "both"])
def test_the_term_is_added_where_the_config_says(search, applies_to):
    parts = {"weights": ["train"], "alpha": ["val"], "both": ["train", "val"]}[applies_to]
    distillation = {"start_epoch": 1, "applies_to": applies_to}
    _, method = search(self_distillation=distillation)
    metrics = run(method, range(2))
    for part in ("train", "val"):
        found = {name for name in metrics[1] if name.startswith(part)}
        own = {f"{part}_distillation_loss", f"{part}_vote_entropy"}
        assert (own <= found) == (part in parts)
        assert not own & metrics[0].keys()


def test_without_a_step_of_the_alphas_only_they_feel_nothing(search):
    """The term for the alphas alone leaves the weights' first update as it is."""
    nets = []
    for applies_to in ("alpha", "weights"):
        distillation = {"start_epoch": 1, "applies_to": applies_to}
        net, method = search(self_distillation=distillation, order="weights_first")
        run(method, [0])
        before = values(net)
        method.step(next(iter(method.start_epoch(1))))
        nets.append((before, values(net)))
    assert not differing(nets[0][0], nets[1][0])
    moved = differing(nets[0][1], nets[1][1])
    alphas = {name for name in moved if name.startswith("arch_parameters")}
    assert alphas
    assert moved - alphas


def test_alphas_rest_before_their_first_epoch(search):
    net, method = search(alpha_start_epoch=2, self_distillation=None)
    start = values(net)
    for epoch in range(3):
        metrics = run(method, [epoch])[0]
        moved = {name for name in differing(start, values(net)) if name.startswith("arch_parameters")}
        assert bool(moved) == ("val_loss" in metrics) == (epoch == 2)
    assert differing(start, values(net)) > moved


def test_the_rate_falls_along_a_cosine(search):
    _, method = search(epochs=4, lr=1.0, lr_min=0.2, self_distillation=None)
    rates = []
    for epoch in range(4):
        method.start_epoch(epoch)
        rates.append(method._optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2 + 0.4 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)])


def test_a_search_learns(search, inputs):
    _, method = search(epochs=12, lr=0.2, self_distillation={"start_epoch": 2})
    metrics = run(method, range(12))
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"] - 0.5
    assert metrics[-1]["train_accuracy"] > 0.4
    for name in ("architecture", "num_skips", "alpha_entropy", "val_loss"):
        assert name in metrics[0]
    assert "alpha_eigenvalue" not in metrics[0]
    assert metrics[-1].keys() >= {"alpha_eigenvalue", "discretization_gap", "distillation_gradient_ratio"}
    assert method.architectures == [one["architecture"] for one in metrics]
    inputs.space.build(method.architectures[-1])


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_resuming_gives_the_same_bytes_as_never_stopping(search, kind, second_order):
    settings = {"self_distillation": KINDS[kind], "second_order": second_order}
    net, whole = search(folder="whole", **settings)
    expected = run(whole, range(3))
    _, first = search(folder="stopped", **settings)
    run(first, range(2))
    resumed_net, second = search(folder="stopped", seed=1, **settings)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert run(second, [2]) == expected[2:]
    assert not differing(values(net), values(resumed_net))
    assert second.architectures == whole.architectures
    assert str(second.state_dict()["alpha_optimizer"]) == str(whole.state_dict()["alpha_optimizer"])


class Planned:
    """A measurement whose eigenvalues are given."""

    def __init__(self, eigenvalues, every):
        self._eigenvalues, self._every = iter(eigenvalues), every

    def is_due(self, epoch, num_epochs):
        return (epoch + 1) % self._every == 0

    def measure(self, supernet, architecture, distillation):
        return {"alpha_eigenvalue": next(self._eigenvalues)}


def planned(search, halves, eigenvalues, every=1):
    net, _ = search(self_distillation=None)
    rule = EarlyStoppingConfig(window=1, lag=2, factor=0.5)
    config = SdDartsConfig(epochs=30, early_stopping=rule, self_distillation=None)
    return SdDarts(net, halves, Planned(eigenvalues, every), None, config)


def test_a_search_ends_where_the_eigenvalue_grows(search, halves):
    method = planned(search, halves, [0.1, 0.1, 0.15, 0.3, 0.4])
    for epoch in range(4):
        assert (method.num_epochs, method.chosen_epoch) == (30, 29)
        method.evaluate(epoch)
    assert (method.num_epochs, method.chosen_epoch) == (4, 1)  # .1 / .3 < .5
    again = planned(search, halves, [])
    again.load_state_dict(method.state_dict())
    assert (again.num_epochs, again.chosen_epoch) == (4, 1)


def test_the_chosen_epoch_is_one_that_was_measured(search, halves):
    method = planned(search, halves, [0.1, 0.1, 0.4], every=3)
    for epoch in range(9):
        method.evaluate(epoch)
    assert (method.num_epochs, method.chosen_epoch) == (9, 2)


def test_measurements_before_a_restart_count(search, halves):
    first = planned(search, halves, [0.1, 0.1])
    for epoch in range(2):
        first.evaluate(epoch)
    second = planned(search, halves, [0.1, 0.3])
    second.load_state_dict(first.state_dict())
    for epoch in (2, 3):
        second.evaluate(epoch)
    assert (second.num_epochs, second.chosen_epoch, len(second.architectures)) == (4, 1, 4)


def test_a_calm_search_runs_to_its_end(search, halves):
    method = planned(search, halves, [0.1] * 30)
    for epoch in range(30):
        method.evaluate(epoch)
    assert (method.num_epochs, method.chosen_epoch) == (30, 29)
