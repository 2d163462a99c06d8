import copy

import pytest
import torch

from nasray.trainables.sd_darts.voting.earlier_selves import EarlierSelves, state_of, tensors_of

IMAGES = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["space", "cell_space"])
def trained(request, supernet):
    """A supernet in training, with three deep copies and states of its earlier selves."""
    net = supernet(request.getfixturevalue(request.param)).train()
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    copies, states = [], []
    for seed in range(3):
        images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
        net(images).square().mean().backward()
        optimizer.step()
        copies.append(copy.deepcopy(net))
        states.append(state_of(net))
    net(IMAGES)
    return net, copies, states


@pytest.mark.parametrize("norm", ["batch", "running"])
def test_logits_are_those_of_deep_copies(trained, norm):
    net, copies, states = trained
    selves = EarlierSelves(net, norm)
    logits = selves.logits(states, IMAGES)
    assert logits.shape == (3, 12, 10)
    assert not logits.requires_grad
    for one, earlier in zip(logits, copies, strict=True):
        expected = earlier.train(norm == "batch")(IMAGES)
        torch.testing.assert_close(one, expected, rtol=0, atol=0)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


@pytest.mark.parametrize("norm", ["batch", "running"])
def test_at_once_is_the_same_as_one_after_the_other(trained, norm):
    net, _, states = trained
    at_once, one_by_one = (
        EarlierSelves(net, norm, batched=batched).logits(states, IMAGES) for batched in (True, False)
    )
    torch.testing.assert_close(at_once, one_by_one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batched", [True, False])
def test_nothing_moves(trained, batched):
    net, _, states = trained
    before = copy.deepcopy([net.state_dict(), states])
    state, mode = torch.get_rng_state(), net.training
    EarlierSelves(net, "running", batched=batched).logits(states, IMAGES)
    EarlierSelves(net, "batch", batched=batched).logits(states, IMAGES)
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training == mode
    for was, present in zip([before[0], *before[1]], [net.state_dict(), *states], strict=True):
        assert all(torch.equal(value, present[name]) for name, value in was.items())


def test_a_state_is_a_copy_of_all_tensors(trained):
    net, _, _ = trained
    state = state_of(net)
    assert state.keys() == net.state_dict().keys() == tensors_of(net).keys()
    for name, tensor in tensors_of(net).items():
        assert torch.equal(state[name], tensor)
        assert state[name].data_ptr() != tensor.data_ptr()
        assert state[name].stride() == tensor.stride()
        assert not state[name].requires_grad


@pytest.mark.parametrize("number", [1, 3])
def test_noise_of_earlier_selves_is_not_the_supernets(supernet, noisy_space, number):
    net = supernet(noisy_space)
    selves, states = EarlierSelves(net, "batch"), [state_of(net)] * number
    torch.manual_seed(5)
    without = net(IMAGES)
    torch.manual_seed(5)
    said = selves.logits(states, IMAGES)
    torch.testing.assert_close(net(IMAGES), without, rtol=0, atol=0)
    torch.manual_seed(5)
    torch.testing.assert_close(selves.logits(states, IMAGES), said, rtol=0, atol=0)
    # Of one state, in the same mode: only what is drawn can differ.
    assert len({one.sum().item() for one in [*said, without]}) == number + 1
