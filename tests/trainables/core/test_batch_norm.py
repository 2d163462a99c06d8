import copy

import pytest
import torch
from torch import nn

from nasray.trainables.core.batch_norm import calibrate, reestimate, with_batch_statistics


@pytest.fixture
def model():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3)
    )
    net(torch.randn(8, 2, 6, 6))
    return net


def test_a_copy_computes_what_the_model_does_in_training(model):
    images = torch.randn(5, 2, 6, 6)
    frozen = with_batch_statistics(model)
    torch.testing.assert_close(frozen(images), model.train()(images), rtol=0, atol=0)
    assert not torch.allclose(frozen(images), model.eval()(images), atol=1e-3)


def test_a_copy_drops_nothing_out_and_leaves_everything_as_it_was(model):
    model.append(nn.Dropout(0.5))
    before, mode = copy.deepcopy(model.state_dict()), model.training
    frozen = with_batch_statistics(model)
    held = copy.deepcopy(frozen.state_dict())
    images = torch.randn(5, 2, 6, 6)
    state = torch.get_rng_state()
    assert torch.equal(frozen(images), frozen(images))
    assert torch.equal(torch.get_rng_state(), state)
    assert not list(frozen.buffers())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    for kept, module in ((before, model), (held, frozen)):
        assert all(torch.equal(value, kept[name]) for name, value in module.state_dict().items())
    assert model.training == mode
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_statistics_are_the_average_over_the_batches(model):
    batches = [torch.randn(4, 2, 6, 6) * scale for scale in (1.0, 2.0, 3.0)]
    reestimate(model, batches)
    maps = [model[0](batch).transpose(0, 1).flatten(1) for batch in batches]
    torch.testing.assert_close(model[1].running_mean, torch.stack([m.mean(1) for m in maps]).mean(0))
    torch.testing.assert_close(model[1].running_var, torch.stack([m.var(1) for m in maps]).mean(0))
    assert not model.training
    assert model[1].momentum == 0.1


def test_statistics_do_not_depend_on_what_came_before(model):
    other = copy.deepcopy(model)
    other(100 * torch.randn(8, 2, 6, 6))
    batches = [torch.randn(4, 2, 6, 6)]
    for net in (model, other):
        reestimate(net, batches)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_calibration_gives_the_outputs_in_training_and_the_statistics_of_all_batches(model):
    batches = [torch.randn(4, 2, 6, 6) * scale for scale in (1.0, 2.0, 3.0)]
    other = copy.deepcopy(model)
    other(100 * torch.randn(8, 2, 6, 6))
    reestimate(model, batches)
    outputs = calibrate(other, batches)
    assert not any(module.training for module in other.modules())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)
    for output, batch in zip(outputs, batches, strict=True):
        torch.testing.assert_close(output, with_batch_statistics(model)(batch))


def test_calibration_drops_nothing_out(model):
    batches = [torch.randn(4, 2, 6, 6)]
    whole = calibrate(copy.deepcopy(model), batches)
    torch.testing.assert_close(calibrate(model.append(nn.Dropout(0.5)), batches), whole)
