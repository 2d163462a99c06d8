import pytest
import torch
from torchvision.models._utils import _make_divisible

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.mbconv import digits, dna, small_images
from nasray.search_spaces.chain.scaling import build_scaled, scaled_space
from nasray.search_spaces.chain.vit import vit_digits
from nasray.search_spaces.settings import ScalingConfig

DIGITS = digits((1, 8, 8), 10)
SPACES = {
    "digits": DIGITS,
    "odd size": small_images((3, 27, 31), 10),
    "vit": vit_digits((1, 8, 8), 10),
}
ARCHITECTURE = Architecture.parse("2x16:mb3k3,skip/3x24:mb3k5,mb6k3,mb3k3/2x40:mb6k3,mb3k5")


@pytest.mark.parametrize("factor", [1.05, 1.1, 1.21, 1.4, 2.0])
def test_widths_are_rounded_as_efficientnets_are(factor):
    config = ScalingConfig(width=factor)
    for width in range(4, 400, 3):
        assert config.scale_width(width) == _make_divisible(width * factor, 8)


def test_factors_are_taken_to_a_power():
    config = ScalingConfig(power=2)
    assert config.scale_width(40) == 48  # 48.4
    assert [config.scale_depth(depth) for depth in (1, 2, 3, 4)] == [2, 3, 5, 6]  # times 1.44, rounded up
    assert config.scale_size(224, 2) == 296  # 296.24


def test_nothing_grows_by_a_power_of_zero():
    config = ScalingConfig(power=0)
    assert (config.scale_width(12), config.scale_depth(3), config.scale_size(27, 2)) == (12, 3, 27)
    assert scaled_space(DIGITS, ARCHITECTURE, config).input_shape == DIGITS.input_shape


def test_a_product_that_is_whole_is_not_rounded_up():
    assert ScalingConfig(depth=1.1).scale_depth(10) == 11  # 11.000000000000002


def test_deeper_cells_repeat_their_last_layers_and_drop_what_does_nothing():
    scaled = scaled_space(DIGITS, ARCHITECTURE, ScalingConfig(width=1.5, depth=1.5, resolution=1))
    assert str(scaled.largest()) == (
        "2x24:mb3k3,mb3k3/5x40:mb3k5,mb6k3,mb3k3,mb6k3,mb3k3/3x64:mb6k3,mb3k5,mb3k5"
    )
    assert scaled.num_architectures == 1
    assert scaled.stem[0].width == 24


@pytest.mark.parametrize("name", SPACES)
def test_a_scaled_network_takes_the_spaces_images_and_has_its_sizes_of_maps(name):
    space = SPACES[name]
    torch.manual_seed(0)
    network = build_scaled(space, space.largest(), ScalingConfig(power=2)).eval()
    maps = torch.randn(2, *space.input_shape)
    for k, block in enumerate(network.blocks):
        maps = block(maps)
        assert maps.shape[2:] == space.block_output_shape(k, 1)[1:]
    assert network.head(maps).shape == (2, 10)
    grown = sum(parameter.numel() for parameter in network.parameters())
    assert grown > 1.2 * space.cost(space.largest()).num_params


def test_it_costs_what_its_space_says():
    scaling = ScalingConfig()
    space = dna((3, 224, 224), 1000)
    scaled = scaled_space(space, space.smallest(), scaling)
    assert scaled.input_shape == (3, 258, 258)
    with torch.device("meta"):
        network = build_scaled(space, space.smallest(), ScalingConfig(resolution=1))
    num_params = sum(parameter.numel() for parameter in network.parameters())
    assert scaled.cost(scaled.largest()).num_params == num_params


def test_without_scaling_the_network_is_the_architectures():
    network = build_scaled(DIGITS, ARCHITECTURE, None)
    assert sum(p.numel() for p in network.parameters()) == DIGITS.cost(ARCHITECTURE).num_params


def test_an_architecture_of_another_space_is_refused():
    with pytest.raises(ValueError, match="block 0: cell must be one of 2x24"):
        scaled_space(SPACES["odd size"], ARCHITECTURE, ScalingConfig())
