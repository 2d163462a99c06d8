import pytest
import torch

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.mbconv import digits
from nasray.trainables.latency.steps import Step, all_steps, architecture_steps, build_step, candidate_steps

SPACE = digits((1, 8, 8), 10)
NETWORK = Architecture.parse("2x16:mb3k3,skip/3x24:mb3k3,mb3k5,mb6k3/2x32:mb6k3,skip")


def test_a_network_is_its_steps():
    steps = architecture_steps(SPACE, NETWORK)
    assert steps == [
        Step("stem"),
        Step("layer", 0, 0, "mb3k3", 16, 16),
        Step("layer", 0, 1, "skip", 16, 16),
        Step("layer", 1, 0, "mb3k3", 16, 24),
        Step("layer", 1, 1, "mb3k5", 24, 24),
        Step("layer", 1, 2, "mb6k3", 24, 24),
        Step("layer", 2, 0, "mb6k3", 24, 32),
        Step("layer", 2, 1, "skip", 32, 32),
        Step("head", in_channels=32),
    ]
    x = torch.randn(2, *SPACE.input_shape)
    num_params = 0
    for step in steps:
        module = build_step(SPACE, step)
        num_params += sum(parameter.numel() for parameter in module.parameters())
        x = module(x)
    assert x.shape == (2, 10)
    assert num_params == SPACE.cost(NETWORK).num_params


def test_all_steps_are_those_of_all_candidates():
    expected = {
        step
        for block, choices in enumerate(SPACE.blocks)
        for width in SPACE.entry_widths(block)
        for candidate in choices.candidates()
        for step in candidate_steps(SPACE, block, candidate, width)
    }
    assert all_steps(SPACE) == expected


@pytest.mark.parametrize("block", [0, 1, 2])
def test_only_the_ends_bear_stem_and_head(block):
    steps = candidate_steps(SPACE, block, NETWORK.candidates[block], SPACE.entry_widths(block)[0])
    assert [step.part for step in steps if step.part != "layer"] == [["stem"], [], ["head"]][block]
