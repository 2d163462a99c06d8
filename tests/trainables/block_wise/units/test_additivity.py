import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasray.search_spaces.architecture import Architecture, Candidate
from nasray.trainables.block_wise.units.additivity import (
    AdditivitySpec,
    Placed,
    Swapping,
    draw_swaps,
    read_additivity,
    run_additivity,
)
from nasray.trainables.block_wise.units.stitch import calibration_images
from nasray.trainables.core.batch_norm import reestimate, with_batch_statistics
from nasray.trainables.core.compute import place, place_module
from nasray.trainables.teacher.unit import TeacherResult


@pytest.fixture
def supernets(save_supernets):
    return save_supernets(always_adapt=True)


@pytest.fixture
def calibration(search, targets):
    config = next(iter(targets().values())).config
    return calibration_images(search, config.rating)


@pytest.fixture
def held_out(search):
    images = search.images.held_out.images(np.arange(80))
    return list(place(search.compute, images, search.device).split(40))


@pytest.fixture
def pieces(search):
    teacher = TeacherResult.read(search.teacher_folder).load(search)
    return list(place_module(search.compute, teacher, search.device).pieces)


@pytest.fixture
def spec(search, targets, tmp_path):
    def build(**changes):
        adapted = [
            target.model_copy(update={"config": target.config.model_copy(update={"adapters": "always"})})
            for target in targets().values()
        ]
        fields = {"num_draws": 4, "num_images": 60, "targets": tuple(adapted)}
        return AdditivitySpec(
            name="additivity", folder=tmp_path / "additivity", inputs=search, **(fields | changes)
        )

    return build


@torch.no_grad()
def divergence(swapped, pieces, calibration, images):
    """How far the predictions with modules in the place of some blocks are from the teacher's, by hand."""
    theirs = nn.Sequential(*pieces)(images).double().log_softmax(1)
    for block, piece in enumerate(pieces):
        module, batchwise = piece, piece
        if block in swapped:
            module = copy.deepcopy(swapped[block])
            reestimate(module, calibration)
            batchwise = with_batch_statistics(module)
        calibration, images = [batchwise(batch) for batch in calibration], module(images)
    return float(F.kl_div(images.double().log_softmax(1), theirs, reduction="batchmean", log_target=True))


@pytest.mark.parametrize("places", [(0,), (1,), (0, 1)])
def test_divergences_are_those_of_networks_put_together_by_hand(
    supernets, pieces, calibration, held_out, places
):
    candidates = (Placed(0, 1, Candidate(8, ("mb3k3",))), Placed(1, 8, Candidate(12, ("mb3k3",))))
    swap = tuple(candidates[place] for place in places)
    found = Swapping(pieces, supernets, calibration, held_out).divergences([swap])
    nets = [(one, supernets[one.cell]) for one in swap]
    modules = {one.block: net.block(net.path(one.entry_width, one.candidate.operations)) for one, net in nets}
    expected = divergence(modules, pieces, calibration, torch.cat(held_out))
    assert found[swap] == pytest.approx(expected, rel=1e-5)
    assert found[swap] > 0.01


def test_what_stands_beside_it_changes_no_divergence(search, supernets, pieces, calibration, held_out):
    swaps = draw_swaps(search.space, 6, seed=0)
    swaps += list({(placed,): None for swap in swaps for placed in swap})
    swapping = Swapping(pieces, supernets, calibration, held_out)
    together = swapping.divergences(swaps)
    assert set(together) == set(swaps)
    assert {swap: swapping.divergences([swap])[swap] for swap in swaps} == together


def test_swaps_are_parts_of_architectures_of_the_space(search):
    swaps = draw_swaps(search.space, 50, seed=0)
    assert swaps == draw_swaps(search.space, 50, seed=0)
    assert swaps != draw_swaps(search.space, 50, seed=1)
    assert len(set(swaps)) == len(swaps) <= 50
    for first, second in swaps:
        search.space.check(Architecture((first.candidate, second.candidate)))
        assert (first.block, second.block) == (0, 1)
        assert first.entry_width == 1
        assert second.entry_width == first.candidate.width, "it is entered where the one before is left"


def test_three_blocks_give_all_pairs_and_all_together(space):
    three = type(space)(
        space.name,
        space.input_shape,
        space.num_classes,
        space.stem,
        space.head_width,
        space.dropout,
        (*space.blocks, space.blocks[1]),
        space.operations,
    )
    groups = [tuple(placed.block for placed in swap) for swap in draw_swaps(three, 3, seed=0)]
    assert list(dict.fromkeys(groups)) == [(0, 1), (0, 2), (1, 2), (0, 1, 2)]


def test_the_unit_leaves_sums_and_what_is_together(spec, supernets):
    one = spec()
    (metrics,) = run_additivity(one)
    table = read_additivity(one.folder)
    assert list(table["blocks"]) == ["0+1"] * metrics["num_swaps"]
    assert list(table["alone_sum"]) == pytest.approx([sum(alone) for alone in table["alone"]])
    assert (table["together"] > 0).all()
    before = one.outputs[0].read_bytes()
    list(run_additivity(one))
    assert one.outputs[0].read_bytes() == before
