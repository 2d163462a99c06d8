import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.criteria import CRITERIA, Criterion, Rating
from nasray.trainables.block_wise.metrics import TargetScale, relative_l1
from nasray.trainables.block_wise.rate import CandidateRater, ratings_frame
from nasray.trainables.block_wise.supernet import Path
from nasray.trainables.settings.block_distillation import RatingConfig

CONFIG = RatingConfig(num_batches=4, calibration_images=32, calibration_batch_size=16)


@pytest.fixture
def trained(supernet):
    """A supernet whose branches are not at zero, so that every operation matters."""
    return supernet(1, zero_init=False)


def rate_unshared(net, data, path):
    """The rating of one path by running all of it: statistics re-estimated, then evaluated."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        net.eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train()
        for batch in data.calibration_batches(CONFIG.calibration_images, CONFIG.calibration_batch_size):
            net(batch, path)
        net.eval()
        held_out = data.held_out_batches(CONFIG.num_batches)
        scale = TargetScale.measure(target for _, target in held_out)
        return [relative_l1(net(features, path), target, scale) for features, target in held_out]


def test_shared_prefixes_give_the_ratings_of_whole_paths(trained, block_data):
    data = block_data(1)
    rater = CandidateRater(trained, data, CONFIG)
    ratings = rater.rate(rater.walk.subtrees())
    assert len({rating.path for rating in ratings}) == len(ratings) == 36
    for rating in ratings[::5]:
        np.testing.assert_allclose(rating.batches, rate_unshared(trained, data, rating.path), rtol=1e-4)


def test_each_node_of_the_prefix_tree_is_evaluated_once(trained, block_data):
    rater = CandidateRater(trained, block_data(1), CONFIG)
    rater.rate(rater.walk.subtrees())
    assert rater.walk.num_evaluations == 2 * (3 + 3 * 2 + 3 * 2 * 3)


def test_ratings_differ_between_candidates(trained, block_data):
    rater = CandidateRater(trained, block_data(1), CONFIG)
    values = [np.mean(rating.batches) for rating in rater.rate(rater.walk.subtrees())]
    assert len(set(values)) == len(values)


def test_passes_change_the_memory_but_not_the_ratings(trained, block_data):
    whole = CandidateRater(trained, block_data(1), CONFIG)
    parts = CandidateRater(trained, block_data(1), CONFIG.model_copy(update={"images_per_pass": 20}))
    for first, second in zip(
        whole.rate(whole.walk.subtrees()[:2]), parts.rate(parts.walk.subtrees()[:2]), strict=True
    ):
        np.testing.assert_allclose(first.batches, second.batches, rtol=1e-4)
    assert parts.walk.num_evaluations == 2 * whole.walk.num_evaluations


def test_subtrees_together_are_the_whole(trained, block_data, space):
    data, candidates = block_data(1), space.candidate_table(1)
    rater = CandidateRater(trained, data, CONFIG)
    whole = ratings_frame(trained, rater.rate(rater.walk.subtrees()), candidates)
    parts = [ratings_frame(trained, rater.rate([subtree]), candidates) for subtree in rater.walk.subtrees()]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))


def test_some_paths_are_rated_as_all_are_with_their_shared_beginnings_alone(trained, block_data):
    data = block_data(1)
    whole, some = CandidateRater(trained, data, CONFIG), CandidateRater(trained, data, CONFIG)
    ratings = {rating.path: rating for rating in whole.rate(whole.walk.subtrees())}
    prefixes = [Path(1, (2, 1, 0)), Path(0, (1, 0)), Path(0, (1, 1, 2)), Path(1, (2, 0, 0))]
    found = some.rate(prefixes)
    assert [rating.path for rating in found] == [
        *(Path(0, (1, 0, last)) for last in range(3)),
        Path(0, (1, 1, 2)),
        Path(1, (2, 0, 0)),
        Path(1, (2, 1, 0)),
    ]
    assert all(rating == ratings[rating.path] for rating in found)
    assert some.walk.num_evaluations == (1 + 2 + 4) + (1 + 2 + 2)


def test_the_batches_that_follow_complete_the_first_ones(trained, block_data):
    data = block_data(1)
    config = CONFIG.model_copy(update={"num_batches": 5, "rated_batches": 2})
    rater = CandidateRater(trained, data, config)
    (first,), (further,) = rater.rate([Path(0, (1, 1, 1))]), rater.rate([Path(0, (1, 1, 1))], range(2, 5))
    assert (len(first.batches), len(further.batches)) == (2, 3)
    (whole,) = rater.rate([Path(0, (1, 1, 1))], range(5))
    np.testing.assert_allclose(first.batches + further.batches, whole.batches, rtol=1e-4)


def test_the_frame_is_a_table_of_ratings_in_canonical_order(trained, block_data, space):
    rater = CandidateRater(trained, block_data(1), CONFIG)
    frame = ratings_frame(trained, rater.rate(rater.walk.subtrees()), space.candidate_table(1))
    rating_table.check(frame)
    expected = space.candidate_table(1)
    assert frame["candidate"].tolist() == expected["candidate"].tolist()
    assert frame["num_macs"].tolist() == expected["num_macs"].tolist()


class Broken(nn.Module):
    """An operation whose output is not a number."""

    def forward(self, features):
        return features * float("nan")


class Greedy(nn.Module):
    """An operation that asks for more memory than there can be."""

    def forward(self, features):
        return features + torch.empty(2**50, device=features.device).sum()


@pytest.mark.parametrize(("operation", "reason"), [(Broken(), "non-finite"), (Greedy(), "memory")])
def test_a_failing_operation_takes_only_its_own_candidates(trained, block_data, space, operation, reason):
    trained.later_layers[1][0] = operation
    rater = CandidateRater(trained, block_data(1), CONFIG)
    frame = ratings_frame(trained, rater.rate(rater.walk.subtrees()), space.candidate_table(1))
    rating_table.check(frame)
    failed = frame["failure"].notna()
    assert failed.tolist() == [text.endswith("skip") for text in frame["candidate"]]
    assert frame.loc[failed, "failure"].str.contains(reason).all()


def test_a_cell_whose_candidates_all_fail_has_a_table_that_says_so(trained, block_data, space):
    trained.exit = nn.Sequential(trained.exit, Broken())
    rater = CandidateRater(trained, block_data(1), CONFIG)
    frame = ratings_frame(trained, rater.rate(rater.walk.subtrees()), space.candidate_table(1))
    rating_table.check(frame)
    assert (frame["failure"] == "non-finite output").all()


class LargestError:
    """A further rating of one entry and this class."""

    def predict(self, features):
        return features

    def rate(self, output, predictions):
        return float((output - predictions).abs().max())


def test_a_further_rating_is_an_entry_and_what_measures_it(trained, block_data, space, monkeypatch):
    kind = Rating("largest_error", "largest_error_batches", "by the largest error", "rating.num_batches")
    entry = Criterion("largest_error", "largest_error_score", "score", "score", "of the largest errors", kind)
    monkeypatch.setitem(CRITERIA, entry.name, entry)
    data = block_data(1)
    rater = CandidateRater(trained, data, CONFIG, {kind.column: LargestError()})
    ratings = rater.rate(rater.walk.subtrees())
    frame = ratings_frame(trained, ratings, space.candidate_table(1))
    rating_table.check(frame)
    assert frame["swap_in"].isna().all()
    first = frame["largest_error_batches"][0]
    assert len(first) == CONFIG.num_batches
    assert frame["largest_error"][0] == pytest.approx(np.mean(first))
    calibration = data.calibration_batches(CONFIG.calibration_images, CONFIG.calibration_batch_size)
    inputs, targets = zip(*data.held_out_batches(CONFIG.num_batches), strict=True)
    with torch.no_grad():
        (output,) = rater.walk.outputs([ratings[0].path], calibration, inputs)
    expected = [
        float((one - target).abs().max()) for one, target in zip(output.batches, targets, strict=True)
    ]
    assert list(ratings[0].further[kind.column]) == pytest.approx(expected)
