import numpy as np
import pytest

from nasray.search_spaces.build import build_space
from nasray.search_spaces.settings import SpaceConfig
from nasray.strategies.choices import choices_of


@pytest.fixture(params=["chain", "nasbench201", "darts_s1"])
def any_space(request, space, cell_space):
    darts = build_space(SpaceConfig(source="darts_s1", channels=4, num_cells=3), (1, 8, 8), 10)
    return {"chain": space, "nasbench201": cell_space, "darts_s1": darts}[request.param]


def test_an_architecture_is_what_it_decided(any_space):
    rng, choices = np.random.default_rng(0), choices_of(any_space)
    options = choices.options()
    for _ in range(20):
        architecture = str(any_space.sample(rng))
        made = choices.decisions(architecture)
        assert all(taken in options[name] for name, taken in made.items())
        asked = []
        assert choices.assemble(lambda name, of: asked.append(name) or made[name]) == architecture  # noqa: B023
        assert asked == list(made)


def test_whatever_is_taken_makes_an_architecture(any_space):
    rng, choices = np.random.default_rng(1), choices_of(any_space)
    for _ in range(20):
        architecture = choices.assemble(lambda name, options: str(rng.choice(options)))
        any_space.cost(architecture)  # raises for what is not of the space


def test_layers_with_the_same_choices_are_one_decision_in_all_cells(space):
    choices = choices_of(space)
    deep = choices.decisions("2x8:mb3k3,conv1/1x16:sep3")
    flat = choices.decisions("1x8:mb3k3/2x8:sep3,mb3k3")
    assert deep.keys() & flat.keys() == {
        "block_0/cell",
        "block_0/layer_0/skip,mb3k3,conv1",
        "block_1/cell",
        "block_1/layer_0/sep3,mb3k3",
    }
    with pytest.raises(ValueError, match="block 0"):
        choices.decisions("1x9:mb3k3/1x16:sep3")
