import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from nasray.trainables.sd_darts.architect import first_order, second_order


class TinySupernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor([0.3, -0.2]))
        self.gate = nn.Parameter(torch.tensor([0.1, 0.0, -0.1]))
        self.choices = nn.ModuleList(nn.Conv2d(2, 3, kernel, padding=kernel // 2) for kernel in (1, 3))
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 4)

    def forward(self, images):
        mixed = sum(w * choice(images) for w, choice in zip(self.alpha.softmax(0), self.choices, strict=True))
        maps = torch.tanh(self.norm(mixed)) * self.gate.softmax(0).view(1, 3, 1, 1)
        return self.head(maps.square().mean((2, 3)) + maps.mean((2, 3)))

    def alphas(self):
        return [self.alpha, self.gate]

    def weights(self):
        return [p for name, p in self.named_parameters() if name not in ("alpha", "gate")]


class Search:
    """A tiny search in double precision, two real steps old."""

    def __init__(self, noise=0.0, groups=None, **settings):
        torch.manual_seed(0)
        self.net = TinySupernet().double()
        data = torch.randn(2, 16, 2, 5, 5, dtype=torch.float64)
        labels = torch.randint(4, (2, 16))
        self.train, self.val = zip(data, labels, strict=True)
        self.noise = noise
        weights = self.net.weights()
        parts = [weights] if groups is None else [weights[:3], weights[3:]]
        given = [{"params": part, **extra} for part, extra in zip(parts, groups or [{}], strict=True)]
        self.optimizer = torch.optim.SGD(given, **({"lr": 0.8} | settings))
        for _ in range(2):
            self.optimizer.zero_grad()
            self.loss(self.train).backward()
            self.optimizer.step()
        self.net.zero_grad()

    def loss(self, batch, values=None):
        images, labels = batch
        images = images + self.noise * torch.randn_like(images)
        return F.cross_entropy(functional_call(self.net, values or {}, (images,)), labels)

    def second_order(self, **options):
        return second_order(
            lambda: self.loss(self.train),
            lambda: self.loss(self.val),
            self.net.weights(),
            self.net.alphas(),
            self.optimizer,
            buffers=self.net.buffers(),
            **options,
        )

    def exact(self):
        """The gradient by double backward through the step written out, and its part that comes through the step."""
        twin = copy.deepcopy(self)
        state = torch.get_rng_state()
        gradients = torch.autograd.grad(twin.loss(twin.train), twin.net.weights(), create_graph=True)
        by_weight = dict(zip(twin.net.weights(), gradients, strict=True))
        ahead = {}
        for group in twin.optimizer.param_groups:
            for weight in group["params"]:
                step = by_weight[weight] + group["weight_decay"] * weight
                if group["momentum"]:
                    velocity = step + group["momentum"] * twin.optimizer.state[weight]["momentum_buffer"]
                    step = step + group["momentum"] * velocity if group["nesterov"] else velocity
                ahead[weight] = weight - group["lr"] * step
        values = {name: ahead[p] for name, p in twin.net.named_parameters() if p in ahead}
        torch.set_rng_state(state)
        total = torch.autograd.grad(twin.loss(twin.val, values), twin.net.alphas(), retain_graph=True)
        torch.set_rng_state(state)
        fixed = {name: value.detach() for name, value in values.items()}
        direct = torch.autograd.grad(twin.loss(twin.val, fixed), twin.net.alphas())
        torch.set_rng_state(state)
        return torch.cat(total), torch.cat(total) - torch.cat(direct)


SETTINGS = {
    "plain": {},
    "weight decay": {"weight_decay": 0.05},
    "momentum": {"momentum": 0.7, "weight_decay": 0.05},
    "nesterov": {"momentum": 0.7, "weight_decay": 0.05, "nesterov": True},
    "two groups": {
        "momentum": 0.6,
        "groups": [{"lr": 0.9, "nesterov": True}, {"lr": 0.3, "weight_decay": 0.1}],
    },
    "tensor rate": {"lr": torch.tensor(0.6)},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_second_order_agrees_with_double_backward(settings):
    search = Search(**settings)
    exact, through_step = search.exact()
    errors = [
        float((torch.cat(search.second_order(epsilon=epsilon)) - exact).norm())
        for epsilon in (0.04, 0.01, 1e-4)
    ]
    # The part through the step is what the finite difference gives: it is no trifle, and it is met.
    assert through_step.norm() > 0.05 * exact.norm()
    assert errors[1] < 1e-3 * through_step.norm()
    assert errors[1] < errors[0] / 10
    assert errors[2] < 1e-6 * through_step.norm()


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_the_virtual_step_is_the_optimizers_own(settings):
    search = Search(**settings)
    real = copy.deepcopy(search)
    real.loss(real.train).backward()
    real.optimizer.step()
    seen = []

    def val_loss():
        seen.extend(weight.detach().clone() for weight in search.net.weights())
        return search.loss(search.val)

    second_order(
        lambda: search.loss(search.train),
        val_loss,
        search.net.weights(),
        search.net.alphas(),
        search.optimizer,
    )
    for weight, expected in zip(seen, real.net.weights(), strict=True):
        assert torch.equal(weight, expected)


def test_the_first_step_of_momentum_has_no_buffer_and_gets_none():
    search, plain = Search(), Search()
    search.optimizer = torch.optim.SGD(search.net.weights(), 0.8, momentum=0.9, nesterov=True)
    plain.optimizer = torch.optim.SGD(plain.net.weights(), 0.8 * 1.9)
    torch.testing.assert_close(search.second_order(), plain.second_order())
    assert not search.optimizer.state


def test_random_losses_meet_the_same_noise_in_every_pass():
    search = Search(noise=0.5)
    exact, through_step = search.exact()
    error = (torch.cat(search.second_order(epsilon=1e-4)) - exact).norm()
    assert error < 1e-6 * through_step.norm()


@pytest.mark.parametrize("failing_call", [1, 2, 3, 4, None])
def test_nothing_is_changed_even_if_a_loss_raises(failing_call):
    search = Search(momentum=0.9, noise=0.1)
    state = copy.deepcopy((search.net.state_dict(), search.optimizer.state_dict(), torch.get_rng_state()))
    plain_loss, calls = search.loss, []

    def loss(batch, values=None):
        value = plain_loss(batch, values)
        calls.append(value)
        if len(calls) == failing_call:
            raise FloatingPointError("diverged")
        return value

    search.loss = loss
    if failing_call is None:
        search.second_order()
    else:
        with pytest.raises(FloatingPointError):
            search.second_order()
    assert len(calls) == (failing_call or 4)
    weights, optimizer, generator = state
    for name, value in search.net.state_dict().items():
        assert torch.equal(value, weights[name]), name
    for index, values in search.optimizer.state_dict()["state"].items():
        assert torch.equal(values["momentum_buffer"], optimizer["state"][index]["momentum_buffer"])
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in search.net.parameters())


def test_running_statistics_move_in_ordinary_passes_only():
    search = Search()
    before = search.net.norm.num_batches_tracked.item()
    search.second_order()
    assert search.net.norm.num_batches_tracked == before
    first_order(lambda: search.loss(search.val), search.net.alphas())
    assert search.net.norm.num_batches_tracked == before + 1


def test_first_order_is_the_gradient_and_zero_where_there_is_none():
    search = Search()
    search.loss(search.val).backward()
    unused = torch.zeros(3, requires_grad=True)
    gradients = first_order(lambda: search.loss(search.val), [*search.net.alphas(), unused])
    torch.testing.assert_close(gradients[:2], [alpha.grad for alpha in search.net.alphas()])
    assert torch.equal(gradients[2], torch.zeros(3))


def test_no_influence_of_the_weights_on_the_validation_loss_is_no_division_by_zero():
    search = Search()
    gradients = second_order(
        lambda: search.loss(search.train),
        lambda: search.net.alpha.square().sum(),
        search.net.weights(),
        search.net.alphas(),
        search.optimizer,
    )
    torch.testing.assert_close(gradients, [2 * search.net.alpha.detach(), torch.zeros_like(search.net.gate)])


def test_weights_without_gradient_stay_where_they_are():
    search = Search(weight_decay=0.1)
    expected = search.second_order()
    idle = nn.Parameter(torch.ones(2, dtype=torch.float64))
    search.optimizer.add_param_group({"params": [idle]})
    seen = []

    def val_loss():
        seen.append(idle.detach().clone())
        return search.loss(search.val) + idle.sum()

    parameters = [idle, *search.net.weights()]
    gradients = second_order(
        lambda: search.loss(search.train), val_loss, parameters, search.net.alphas(), search.optimizer
    )
    assert torch.equal(seen[0], torch.ones_like(idle))
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize("settings", [{"momentum": 0.9, "dampening": 0.1}, {"maximize": True}])
def test_other_kinds_of_steps_are_refused(settings):
    with pytest.raises(ValueError, match="without dampening"):
        Search(**settings).second_order()


def test_weights_outside_of_the_optimizer_are_refused():
    search = Search()
    search.optimizer = torch.optim.SGD(search.net.weights()[1:], 0.1)
    with pytest.raises(ValueError, match="1 are not"):
        search.second_order()
