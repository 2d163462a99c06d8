import numpy as np
import pytest
import torch
from pydantic import ValidationError

from nasray.search_spaces.chain.block import BlockSpace, Cell
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.operations.layer import Layer
from nasray.search_spaces.operations.shipped import OPERATIONS
from nasray.trainables.block_wise.block_data import BlockData, OnlineSource
from nasray.trainables.block_wise.candidate_walk import CandidateWalk
from nasray.trainables.block_wise.self_supervision.heads import Heads
from nasray.trainables.block_wise.self_supervision.population import PopulationRater
from nasray.trainables.block_wise.self_supervision.step import SelfSupervision
from nasray.trainables.block_wise.supernet import CellSupernet
from nasray.trainables.core.seeding import generator
from nasray.trainables.core.training import train_epoch
from nasray.trainables.cutting.cutting import cut
from nasray.trainables.data.image_data import load_data
from nasray.trainables.settings.block_distillation import RatingConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import AugmentConfig, DataConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.settings.self_supervision import SelfSupervisionConfig

COMPUTE = ComputeConfig(device="cpu")
CHOICES = ("skip", "mb3k3", "sep3")
RATING = RatingConfig(swap_in_images=0, num_batches=2, calibration_images=32, calibration_batch_size=16)
WITHOUT = {"variance_weight": 0.0, "momentum": 0.0, "predictor": False}  # all that holds outputs apart


@pytest.fixture(scope="module")
def space():
    cell = Cell(2, 12, (CHOICES, CHOICES))
    return SearchSpace(
        "tiny", (1, 8, 8), 10, (Layer("conv3", 8, 1),), None, 0.0, (BlockSpace(2, (cell,)),), OPERATIONS
    )


@pytest.fixture(scope="module")
def data(space):
    config = DataConfig(
        num_train_images=512,
        num_held_out_images=128,
        augment=AugmentConfig(crop_padding=1, random_erasing=0.5),
    )
    torch.manual_seed(0)
    trunk = cut(space.build(space.largest()), ["blocks.0"], space.input_shape)
    return BlockData(
        load_data(config, seed=0),
        OnlineSource(trunk, 0, FeatureConfig(held_out_views=2), COMPUTE),
        COMPUTE,
        seed=0,
    )


@pytest.fixture
def build(space, data):
    def method(seed=0, **changes):
        settings = {"epochs": 6, "lr": 0.01, "projection_width": 16, "rating": RATING} | changes
        config = SelfSupervisionConfig(**settings)
        torch.manual_seed(seed)
        cell = space.blocks[0].cells[0]
        net = CellSupernet(
            space, 0, cell, (1, 8, 8), space.block_output_shape(0, 12), zero_init=True, always_adapt=False
        )
        heads = Heads(12, config.hidden_width, config.projection_width, predictor=config.predictor)
        return SelfSupervision(net, heads, data, config, block=0, seed=seed, name="cell")

    return method


def trained(method):
    return [train_epoch(method, epoch) for epoch in range(method.num_epochs)]


def test_outputs_collapse_without_what_holds_them_apart_and_not_with_it(build):
    def spread_of(**changes):
        return trained(build(epochs=4, **changes))[-1]["held_out_dimension_std"]

    assert spread_of(**WITHOUT) < 0.1
    assert spread_of(**WITHOUT | {"variance_weight": 1.0}) > 0.4
    assert spread_of() > 0.8


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "num_student_paths": 3,
            "num_target_paths": 3,
            "shared_paths": True,
            "paths": "fair",
            "variance_weight": 0.0,
        },
    ],
    ids=["dna_plus_plus", "bossnas"],
)
def test_views_come_to_agree(build, changes):
    history = trained(build(momentum=0.5, **changes))
    assert history[-1]["agreement_loss"] < 0.8 * history[0]["agreement_loss"]


def test_going_on_from_a_checkpoint_is_going_on(build):
    whole, begun, resumed = build(epochs=2), build(epochs=2), build(epochs=2, seed=0)
    trained(whole)
    train_epoch(begun, 0)
    resumed.load_state_dict(begun.state_dict())
    train_epoch(resumed, 1)
    for name, tensor in whole.student.state_dict().items():
        assert torch.equal(tensor, resumed.student.state_dict()[name]), name


def test_the_average_follows_slowly_and_stands_still_at_last(build):
    method = build(momentum=0.9, epochs=4)
    momenta = []
    for epoch in range(4):
        list(method.start_epoch(epoch))
        momenta.append(method._momentum)
    assert momenta[0] == pytest.approx(0.9)
    assert momenta == sorted(momenta)
    assert momenta[-1] < 1


def rater_of(method, data, **changes):
    config = SelfSupervisionConfig(rating=RATING, **changes)
    return PopulationRater(
        method.student.supernet, method.student.heads, data, config, generator(0, "population")
    )


@pytest.mark.parametrize("rated_views", ["two", "plain"])
def test_ratings_are_distances_from_the_centre_of_all(build, data, rated_views):
    method = build(epochs=1)
    trained(method)
    net, heads = method.student.supernet, method.student.heads
    rater = rater_of(method, data, rated_views=rated_views)
    ratings = rater.rate(rater.walk.subtrees())
    assert len(ratings) == 9
    plain = [(batch, batch) for batch, _ in data.held_out_batches(2)]
    batches = data.held_out_views(2) if rated_views == "two" else plain
    calibration = data.calibration_batches(32, 16)
    walk = CandidateWalk(net)
    outputs = list(walk.outputs(walk.subtrees(), calibration, [batch for batch, _ in batches]))
    others = list(walk.outputs(walk.subtrees(), calibration, [other for _, other in batches]))
    heads.train()
    with torch.no_grad():
        unit = [
            torch.nn.functional.normalize(heads.project(output.batches[0]).double(), dim=1)
            for output in others
        ]
        centre = torch.stack(unit).mean(dim=0)
        for output, rating in zip(outputs, ratings, strict=True):
            predicted = heads.predictor(heads.project(output.batches[0])).double()
            expected = (torch.nn.functional.normalize(predicted, dim=1) - centre).square().sum(dim=1).mean()
            assert rating.path == output.path
            assert rating.batches[0] == pytest.approx(float(expected), rel=1e-4)


def test_subtrees_are_rated_as_the_whole(build, data):
    method = build(epochs=1)
    rater = rater_of(method, data)
    whole = rater.rate(rater.walk.subtrees())
    parts = [rating for subtree in rater.walk.subtrees() for rating in rater.rate([subtree])]
    assert [rating.path for rating in whole] == [rating.path for rating in parts]
    np.testing.assert_allclose([r.batches for r in whole], [r.batches for r in parts], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rating": {"swap_in_images": 10}}, "rating.metric and rating.swap_in_images must be left out"),
        ({"rating": {"swap_in_images": 0, "metric": "mse"}}, "rating.metric and rating.swap_in_images"),
        (
            {"shared_paths": True, "num_student_paths": 2},
            "as many student paths as target paths, got 2 and 4",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        SelfSupervisionConfig.model_validate(changes)
