import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from nasray.trainables.sd_darts.supernets.scaled_batch_norm import ScaledBatchNorm


@pytest.fixture
def scale():
    return torch.tensor([0.5, -2.0, 0.0])


@pytest.mark.parametrize("momentum", [0.1, None])
def test_it_is_batch_norm_times_the_scale(scale, momentum):
    ours, plain = ScaledBatchNorm(3), nn.BatchNorm2d(3, affine=False)
    ours.momentum = plain.momentum = momentum
    for _ in range(3):
        x = 3 * torch.randn(4, 3, 5, 5) + 1
        torch.testing.assert_close(ours(x, scale), plain(x) * scale[:, None, None])
    torch.testing.assert_close(ours.state_dict(), plain.state_dict())
    ours.eval()
    plain.eval()
    torch.testing.assert_close(ours(x, scale), plain(x) * scale[:, None, None])


def test_without_running_statistics_the_batch_counts(scale):
    norm = ScaledBatchNorm(3).eval()
    norm.track_running_stats = False
    norm.running_mean = norm.running_var = norm.num_batches_tracked = None
    x = torch.randn(4, 3, 5, 5)
    plain = nn.BatchNorm2d(3, affine=False)
    torch.testing.assert_close(norm(x, scale), plain(x) * scale[:, None, None])


def test_running_statistics_can_be_estimated_anew(scale):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = ScaledBatchNorm(3)

        def forward(self, x):
            return self.norm(x, scale)

    batches = [torch.randn(8, 3, 4, 4) + shift for shift in (0.0, 2.0)]
    network = Scaled()
    update_bn(copy.deepcopy(batches), network)
    torch.testing.assert_close(
        network.norm.running_mean, torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    )


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_scale_that_is_expanded_gives_the_gradients_of_one_that_is_written_out(memory_format):
    # torch's own kernel reads beyond the end of an expanded weight in its backward pass.
    torch.manual_seed(0)
    maps = torch.randn(4, 8, 7, 7).contiguous(memory_format=memory_format).requires_grad_()
    seed = torch.randn(4, 8, 7, 7)
    gradients = []
    for write_out in (False, True):
        scale = torch.full((), 0.3, requires_grad=True)
        expanded = scale.expand(8)
        norm = ScaledBatchNorm(8)
        output = norm(maps, expanded.clone() if write_out else expanded)
        gradients.append(torch.autograd.grad((output * seed).sum(), [maps, scale]))
    for ours, expected in zip(*gradients, strict=True):
        assert torch.equal(ours, expected)
