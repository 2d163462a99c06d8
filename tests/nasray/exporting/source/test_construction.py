from collections import OrderedDict
from functools import partial

import pytest
import torch
from torch import nn

from nasray.exporting.source.construction import Construction, UnwritableError
from nasray.exporting.source.expressions import layout, makers
from nasray.exporting.source.recording import record
from nasray.search_spaces.operations.shipped import OPERATIONS, mbconv


class Taking(nn.Module):
    """Takes arguments of all kinds."""

    def __init__(self, first, /, second, *rest, third=3, fourth, **others):
        super().__init__()
        self.parts = nn.ModuleList(part for part in (first, *rest) if isinstance(part, nn.Module))

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x


def sequence(width, *, norm=nn.BatchNorm2d):
    return nn.Sequential(nn.Conv2d(1, width, 3, padding="same", bias=False), norm(width))


def text_of(build):
    recording = record(build, (1, 8, 8))
    return layout(Construction(recording, {}).expression(recording.network))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: nn.Conv2d(1, 4, 3, padding=1, bias=False), "nn.Conv2d(1, 4, 3, padding=1, bias=False)"),
        (
            lambda: OPERATIONS["mb3k5"](1, 4, 2),
            "mbconv(1, 4, 2, expansion=3, kernel_size=5, squeeze_excite=False)",
        ),
        (lambda: sequence(4), "sequence(4)"),
        (lambda: sequence(4, norm=nn.InstanceNorm2d), "sequence(4, norm=nn.InstanceNorm2d)"),
        (
            lambda: sequence(4, norm=partial(nn.BatchNorm2d, eps=0.001)),
            "sequence(4, norm=partial(nn.BatchNorm2d, eps=0.001))",
        ),
        (
            lambda: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Flatten())),
            "nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Flatten()))",
        ),
        (
            lambda: Taking(nn.ReLU(), (1,), nn.SELU(), fourth=["it's", None], fifth={"a": True}),
            "Taking(nn.ReLU(), (1,), nn.SELU(), fourth=[\"it's\", None], fifth={'a': True})",
        ),
        (
            lambda: Taking(nn.ReLU(), False, third=4, fourth=-1e-9),
            "Taking(nn.ReLU(), second=False, third=4, fourth=-1e-09)",
        ),
    ],
)
def test_calls_as_they_were_made(build, text):
    assert text_of(build) == text
    x = torch.rand(2, 1, 8, 8)
    names = {"nn": nn, "OrderedDict": OrderedDict, "partial": partial, "mbconv": mbconv}
    again = eval(text, names | {"sequence": sequence, "Taking": Taking})
    torch.manual_seed(0)
    network = build().eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.eval()(x), network(x))


def test_a_module_that_was_changed_after_it_was_made():
    def build():
        network = nn.Sequential(nn.ReLU())
        network.append(nn.Tanh())
        return network

    assert text_of(build) == "nn.Sequential(nn.ReLU(), nn.Tanh())"


@pytest.mark.parametrize(
    ("value", "reason"),
    [(object(), "object"), (float("nan"), "nan"), (lambda: 0, "lambda"), (torch.zeros(1), "Tensor")],
)
def test_what_cannot_be_written(value, reason):
    with pytest.raises(UnwritableError, match=reason):
        text_of(lambda: Taking(nn.ReLU(), value, fourth=1))


def test_layout_of_long_calls():
    recording = record(lambda: nn.Sequential(*[nn.Conv2d(1, 1, 1, bias=False) for _ in range(5)]), (1, 8, 8))
    expression = Construction(recording, {}).expression(recording.network)
    row = "    nn.Conv2d(1, 1, 1, bias=False),\n"
    assert layout(expression) == f"nn.Sequential(\n{row * 5})"
    assert list(makers(expression)) == [nn.Conv2d] * 5 + [nn.Sequential]
