import sys

import torch
from torch import nn

from nasray.exporting.source.recording import record
from nasray.search_spaces.operations.shipped import OPERATIONS, Residual, mbconv, separable


def unchanged(module):
    return module


def test_the_calls_that_made_each_module():
    recording = record(lambda: unchanged(OPERATIONS["mb6k3"](2, 2, 1)), (2, 4, 4))
    network = recording.network
    assert isinstance(network, Residual)
    assert not network.training
    inner, outer = recording.creations[network]
    assert (inner.maker, inner.arguments["in_channels"], inner.arguments["branch"]) == (
        Residual,
        2,
        network.branch,
    )
    assert outer.maker is mbconv
    assert outer.arguments == {
        "in_channels": 2,
        "out_channels": 2,
        "stride": 1,
        "expansion": 6,
        "kernel_size": 3,
        "squeeze_excite": False,
    }
    assert all(module in recording.creations for module in network.modules())


def test_the_code_that_ran():
    class Late(nn.Module):
        def forward(self, x):
            return helper(x)

    def helper(x):
        return torch.relu(x)

    recording = record(Late, (1, 2, 2))
    assert helper.__code__ in recording.executed, "in the forward pass, too"
    assert separable.__code__ not in recording.executed


def test_the_interpreter_is_left_as_it_was():
    def profile(*_):
        return None

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        record(nn.ReLU, (1, 2, 2))
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(before)
