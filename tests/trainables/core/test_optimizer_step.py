import copy
import shutil

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasray.trainables.core.optimizer_step import OptimizerStep
from nasray.trainables.settings.compute import ComputeConfig


@pytest.fixture
def problem():
    """A model, a batch, and the update of a copy of the model by that batch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    images, labels = torch.randn(16, 3, 8, 8), torch.randint(4, (16,))

    def run(num_updates=1, clip_norm=None, **compute):
        copied = copy.deepcopy(model)
        seen = []

        def loss(images, labels):
            logits = copied(images)
            seen.append(logits.dtype)
            return F.cross_entropy(logits.float(), labels)

        optimizer = torch.optim.SGD(copied.parameters(), lr=0.1)
        optimizer_step = OptimizerStep(
            loss, [copied], optimizer, ComputeConfig(device="cpu", **compute), compiled=[copied]
        )
        for _ in range(num_updates):
            optimizer_step.update(optimizer_step(images, labels), clip_norm)
        return copied, seen[0], optimizer_step

    return model, run


def difference(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_steps_in_16_bits_are_close_to_plain_ones(problem, precision, dtype):
    model, run = problem
    plain, seen, _ = run()
    assert seen == torch.float32
    short, seen, _ = run(precision=precision)
    assert seen == dtype
    assert all(parameter.dtype == torch.float32 for parameter in short.parameters())
    assert 0 < difference(plain, short) < 0.05 * difference(plain, model)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_gradients_are_clipped_at_their_true_size(problem, precision):
    model, run = problem
    clipped, *_ = run(clip_norm=1e-3, precision=precision)
    moved = torch.cat(
        [(a - b).flatten() for a, b in zip(model.parameters(), clipped.parameters(), strict=True)]
    )
    assert float(moved.detach().norm()) == pytest.approx(0.1 * 1e-3, rel=0.02)


def test_the_scale_of_gradients_is_kept(problem):
    _, run = problem
    _, _, optimizer_step = run(precision="float16")
    state = optimizer_step.state_dict()
    assert state["scaler"]["_growth_tracker"] == 1
    _, _, other = run(0 + 3, precision="float16")
    other.load_state_dict(state)
    assert other.state_dict()["scaler"] == state["scaler"]
    assert run()[2].state_dict()["scaler"] == {}


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_steps_are_close_to_plain_ones_and_all_else_is_plain(problem):
    model, run = problem
    plain, *_ = run(2)
    try:
        compiled, *_ = run(2, compile=True)
        assert difference(plain, compiled) < 1e-5
        assert compiled.state_dict().keys() == model.state_dict().keys()
        images = torch.randn(2, 3, 8, 8)
        torch._dynamo.reset()
        copied = copy.deepcopy(compiled)
        assert torch.equal(compiled(images), copied(images))  # the copy is not compiled
    finally:
        torch.compiler.set_stance("default")
