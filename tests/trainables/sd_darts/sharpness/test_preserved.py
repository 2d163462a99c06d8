import pytest
import torch

from nasray.trainables.sd_darts.sharpness.preserved import preserved


def test_values_layout_and_random_numbers_are_as_before():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last))
    count = torch.tensor(7)
    values, state = weight.detach().clone(), torch.get_rng_state()
    with preserved([weight, count]):
        with torch.no_grad():
            weight.mul_(torch.rand(()))
        count.add_(1)
    assert torch.equal(weight, values)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert count == 7
    assert torch.equal(torch.get_rng_state(), state)


def test_all_is_as_before_after_an_exception():
    value, state = torch.full((3,), torch.nan), torch.get_rng_state()

    def fail_inside():
        with preserved([value]):
            value.copy_(torch.rand(3))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert value.isnan().all()
    assert torch.equal(torch.get_rng_state(), state)


def test_two_contexts_draw_the_same_numbers():
    draws = []
    for _ in range(2):
        with preserved([]):
            draws.append(torch.rand(3))
    assert torch.equal(*draws)
