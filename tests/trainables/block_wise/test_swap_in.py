import copy

import numpy as np
import pytest
import torch
from torch import nn

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.artefacts import rating_table
from nasray.trainables.block_wise.block_data import BlockData, OnlineSource
from nasray.trainables.block_wise.rate import CandidateRater, ratings_frame
from nasray.trainables.block_wise.supernet import CellSupernet
from nasray.trainables.block_wise.swap_in import SwapIn
from nasray.trainables.core.batch_norm import calibrate
from nasray.trainables.cutting.cutting import cut
from nasray.trainables.settings.block_distillation import RatingConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.features import FeatureConfig

COMPUTE = ComputeConfig(device="cpu", channels_last=False)
CONFIG = RatingConfig(num_batches=4, calibration_images=32, calibration_batch_size=16)
OWN = Architecture.parse("2x12:mb3k3,mb3k3/3x14:sep3,mb3k3,mb3k3")


@pytest.fixture(scope="module")
def network(space, images):
    """A network of the space whose second block's batch norms are what a rating's calibration makes them."""
    torch.manual_seed(3)
    network = space.build(OWN)
    calibrate(network.blocks[0], [torch.randn(64, 1, 8, 8)])
    first = cut(network, ["blocks.0", "blocks.1"], (1, 8, 8))
    data = BlockData(images, OnlineSource(first, 1, FeatureConfig(), COMPUTE), COMPUTE, seed=0)
    calibrate(network.blocks[1], data.calibration_batches(32, 16))
    return network.eval()


@pytest.fixture(scope="module")
def teacher(network):
    return cut(network, ["blocks.0", "blocks.1"], (1, 8, 8))


@pytest.fixture(scope="module")
def data(teacher, images):
    return BlockData(images, OnlineSource(teacher, 1, FeatureConfig(), COMPUTE), COMPUTE, seed=0)


@pytest.fixture
def net(space, network):
    """The second block's supernet; on the path that is the teacher's own block it has the block's weights."""
    torch.manual_seed(5)
    net = CellSupernet(
        space, 1, space.blocks[1].cells[0], (12, 8, 8), (14, 4, 4), zero_init=False, always_adapt=False
    )
    path = net.path(12, OWN.candidates[1].operations)
    for index, choice in enumerate(path.choices):
        net.layer(index, path.entry)[choice].load_state_dict(network.blocks[1][index].state_dict())
    return net


@pytest.fixture
def rater(net, teacher, data):
    def build(images_per_batch=10, **changes):
        swap_in = SwapIn(teacher.pieces[-1], images_per_batch)
        return CandidateRater(net, data, CONFIG.model_copy(update=changes), {"swap_in": swap_in})

    return build


def rate_by_hand(net, network, images, path, data):
    """KL per held-out batch, of the whole network whose second block's output is replaced by the path's."""
    block = copy.deepcopy(net.block(path))
    calibrate(block, data.calibration_batches(CONFIG.calibration_images, CONFIG.calibration_batch_size))
    divergences = []
    for rows in np.array_split(np.arange(len(images.held_out)), CONFIG.num_batches):
        batch = images.held_out.images(rows)
        expected = network(batch).softmax(dim=1)
        handle = network.blocks[1].register_forward_hook(lambda _, inputs, __: block(inputs[0]))
        swapped = network(batch).softmax(dim=1)
        handle.remove()
        divergences.append(float((expected * (expected / swapped).log()).sum(dim=1).mean()))
    return divergences


@torch.no_grad()
def test_a_swap_in_is_the_whole_teacher_with_the_candidate_in_the_blocks_place(
    rater, net, network, images, data
):
    ratings = rater().rate(rater().walk.subtrees())
    for rating in ratings[::7]:
        by_hand = rate_by_hand(net, network, images, rating.path, data)
        np.testing.assert_allclose(rating.further["swap_in"], by_hand, rtol=1e-3, atol=1e-6)


def test_the_teachers_own_block_changes_nothing(rater, net):
    own = net.path(12, OWN.candidates[1].operations)
    swap_in = {
        rating.path: np.mean(rating.further["swap_in"]) for rating in rater().rate(rater().walk.subtrees())
    }
    assert swap_in.pop(own) == pytest.approx(0, abs=1e-9)
    assert min(swap_in.values()) > 1e-5


def test_the_other_rating_and_its_cost_stay_as_they_are(rater, net, data):
    plain, swapping = CandidateRater(net, data, CONFIG), rater()
    without, beside = plain.rate(plain.walk.subtrees()), swapping.rate(swapping.walk.subtrees())
    assert [rating.batches for rating in without] == [rating.batches for rating in beside]
    assert not any(rating.further for rating in without)
    assert plain.walk.num_evaluations == swapping.walk.num_evaluations


def test_the_table_holds_a_value_per_batch_and_their_mean(rater, net, space):
    frame = ratings_frame(net, rater().rate(rater().walk.subtrees()), space.candidate_table(1))
    rating_table.check(frame)
    batches = np.array(frame["swap_in_batches"].tolist())
    assert batches.shape == (36, CONFIG.num_batches)
    np.testing.assert_allclose(frame["swap_in"], batches.mean(axis=1))


def test_subtrees_and_passes_give_the_whole(rater):
    whole = rater().rate(rater().walk.subtrees())
    parts = [rating for subtree in rater().walk.subtrees() for rating in rater().rate([subtree])]
    assert parts == whole
    passes = rater(images_per_pass=20)
    for first, second in zip(whole, passes.rate(passes.walk.subtrees()), strict=True):
        np.testing.assert_allclose(first.further["swap_in"], second.further["swap_in"], rtol=1e-4, atol=1e-9)


def test_fewer_images_are_spread_evenly_over_the_batch(teacher):
    features = torch.randn(10, 14, 4, 4)
    whole = SwapIn(teacher.pieces[-1], 10).predict(features)
    torch.testing.assert_close(SwapIn(teacher.pieces[-1], 4).predict(features), whole[[0, 2, 5, 7]])
    torch.testing.assert_close(SwapIn(teacher.pieces[-1], 99).predict(features), whole)


@pytest.mark.parametrize(("num_images", "per_batch"), [(0, 0), (1, 1), (4, 1), (5, 2), (512, 128)])
def test_images_are_shared_out_to_the_batches(num_images, per_batch):
    assert RatingConfig(num_batches=4, swap_in_images=num_images).swap_in_images_per_batch == per_batch


class Overflowing(nn.Module):
    """A rest of a teacher whose predictions are no numbers where features are large."""

    def forward(self, features):
        logits = features.mean(dim=(2, 3))
        return torch.where(logits.abs().amax(dim=1, keepdim=True) > 50, torch.nan, logits)


@pytest.mark.parametrize("images_per_pass", [20, 1000])
def test_a_swap_in_that_is_no_number_leaves_the_rating(net, data, space, images_per_pass):
    net.later_layers[1][0] = nn.Hardtanh(-1e3, 1e3)
    net.later_layers[1][2] = nn.Threshold(1e9, 1e3)  # large everywhere
    config = CONFIG.model_copy(update={"images_per_pass": images_per_pass})
    rater = CandidateRater(net, data, config, {"swap_in": SwapIn(Overflowing(), 10)})
    frame = ratings_frame(net, rater.rate(rater.walk.subtrees()), space.candidate_table(1))
    rating_table.check(frame)
    assert frame["failure"].isna().all()
    large = frame["operations"].str.endswith("sep3")
    assert frame["swap_in"].isna().tolist() == large.tolist()
    assert frame["swap_in_batches"].isna().tolist() == large.tolist()
