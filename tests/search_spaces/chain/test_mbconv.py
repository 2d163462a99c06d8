import pytest
import torch
from torchvision.models import efficientnet_b0

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.chain.mbconv import digits, dna, dna_one_cell, small_images
from nasray.search_spaces.costs.cost import Cost, measure

EFFICIENTNET_B0 = Architecture.parse(
    "2x24:mb6k3se,mb6k3se/2x40:mb6k5se,mb6k5se/3x80:mb6k3se,mb6k3se,mb6k3se/3x112:mb6k5se,mb6k5se,mb6k5se"
    "/4x192:mb6k5se,mb6k5se,mb6k5se,mb6k5se/1x320:mb6k3se"
)
IMAGENET = ((3, 224, 224), 1000)


def test_dna_has_its_published_number_of_architectures():
    space = dna(*IMAGENET)
    assert [block.num_candidates for block in space.blocks] == [288, 1548, 1548, 2808, 16848, 6]
    assert space.num_architectures == 195_898_498_887_057_408
    assert dna_one_cell(*IMAGENET).num_architectures == 36 * 1296**4 * 6


def test_dna_shrinks_as_its_teacher_does():
    space = dna(*IMAGENET)
    assert [space.block_output_shape(k, 1)[1] for k in range(6)] == [56, 28, 14, 14, 7, 7]
    assert [space.entry_widths(k) for k in range(6)] == [(3,), (24, 32), (40,), (80,), (96, 112), (160, 192)]


def test_efficientnet_b0_is_a_member_of_dna():
    with torch.device("meta"):
        published = measure(efficientnet_b0(), IMAGENET[0])
    assert (
        dna(*IMAGENET).cost(EFFICIENTNET_B0)
        == published
        == Cost({"num_params": 5_288_548, "num_macs": 385_814_752})
    )


def test_the_published_budgets_lie_within_dna():
    space = dna(*IMAGENET)
    least, most = space.cost(space.smallest()).num_macs, space.cost(space.largest()).num_macs
    assert all(least < published < most for published in (348e6, 394e6, 466e6, 611e6))


@pytest.mark.parametrize(
    ("space", "count"), [(digits((1, 8, 8), 10), 23_868), (small_images((1, 28, 28), 10), 908_544)]
)
def test_small_spaces_say_how_large_they_are(space, count):
    assert space.num_architectures == count
    assert max(cell.num_candidates for block in space.blocks for cell in block.cells) <= 64
    assert any(len(block.widths) > 1 for block in space.blocks)


def test_no_two_candidates_of_a_small_space_build_the_same_network():
    for block in digits((1, 8, 8), 10).blocks:
        candidates = list(block.candidates())
        without_skips = {
            (candidate.width, *(name for name in candidate.operations if name != "skip"))
            for candidate in candidates
        }
        assert len(without_skips) == len(candidates)
