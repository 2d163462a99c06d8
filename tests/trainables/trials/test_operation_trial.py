from dataclasses import replace

import pytest
import torch
from torch import nn

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.trials.operation_trial import try_operations


class Own(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels)

    def forward(self, x):
        return self.norm(self.conv(x))


class Tied(Own):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.again = self.conv


class Zero(Own):
    def forward(self, x):
        return self.norm(self.conv(x) * 0)


class Constant(nn.Module):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.width, self.stride = out_channels, stride

    def forward(self, x):
        return x.new_zeros(len(x), self.width, -(-x.shape[2] // self.stride), -(-x.shape[3] // self.stride))


class Centred(Own):
    def forward(self, x):
        maps = super().forward(x)
        return maps - maps.mean(0)


class Random(Own):
    def forward(self, x):
        return super().forward(x) + torch.rand(1)


class Two(Own):
    def forward(self, x):
        maps = super().forward(x)
        return (maps, maps) if self.training else maps


class Pooled(Own):
    def forward(self, x):
        maps = super().forward(x)
        return maps.mean((2, 3), keepdim=True) if self.training else maps


class Detached(Own):
    def forward(self, x):
        return self.norm(self.conv(x.detach()))


class Unused(Own):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__(in_channels, out_channels, stride)
        self.scale = nn.Parameter(torch.ones(1))


class Infinite(Own):
    def forward(self, x):
        return super().forward(x).log()


class Steep(Own):
    def forward(self, x):
        return (super().forward(x) * 0).sqrt()


class Hidden(Own):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.shift = torch.randn(1)

    def forward(self, x):
        return super().forward(x) + self.shift


def space(operation):
    blocks = (
        BlockSpace(2, (Cell(2, 8, (("own", "conv1"), ("own", "conv1"))),)),
        BlockSpace(1, (Cell(2, 8, (("own",), ("own",))), Cell(1, 16, (("own",),)))),
    )
    plain = digits((1, 8, 8), 10)
    return replace(plain, stem=(), blocks=blocks, operations=plain.operations | {"own": operation})


@pytest.mark.parametrize("operation", [Own, Tied, Constant])
def test_good_operations_pass(operation):
    generator = torch.get_rng_state()
    said = try_operations(space(operation))
    # 1 to 8 by stride 2; 8 to 8 and 8 to 16, wherever they stand.
    assert said.startswith("operations own tried in ")
    assert "3 layers: shapes, finite outputs, the same twice" in said
    assert torch.equal(torch.get_rng_state(), generator)


def test_shipped_operations_are_not_tried():
    assert try_operations(digits((1, 8, 8), 10)) is None


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Centred, "must give the same for an input alone and in a batch in evaluation mode"),
        (Random, "must give the same twice in evaluation mode"),
        (Two, "must return one tensor in training mode, got tuple"),
        (Pooled, r"must give maps \[2, 8, 4, 4\] in training mode as in evaluation, got \[2, 8, 1, 1\]"),
        (Detached, "must let the gradient reach .* got none at what enters it"),
        (Unused, "must let the gradient reach .* got none at scale"),
        (Infinite, "must give finite outputs"),
        (Steep, "must have finite gradients in training mode"),
        (Hidden, "must give the same when its weights are saved and loaded"),
        (
            lambda *_: nn.Conv2d(1, 9, 1, 2),
            r"must turn maps \[2, 1, 8, 8\] into \[2, 8, 4, 4\], got \[2, 9, 4, 4\]",
        ),
    ],
)
def test_what_supernets_would_fail_by_is_refused(operation, message):
    expected = rf"operation 'own' with \(in_channels, out_channels, stride\) = \(1, 8, 2\) {message}"
    with pytest.raises(ValueError, match=expected):
        try_operations(space(operation))
