import copy

import pandas as pd
import pytest
from safetensors.torch import save_file
from torch import nn

from nasray.search_spaces.architecture import Architecture
from nasray.trainables.block_wise.block_data import BlockData, OnlineSource
from nasray.trainables.block_wise.units.stitch import StitchSpec, read_stitched, run_stitch
from nasray.trainables.core.batch_norm import reestimate
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.trainable import mark_done
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.supervised.accuracy import accuracy
from nasray.trainables.teacher.teacher import build_teacher
from nasray.trainables.teacher.unit import TeacherResult, TeacherSpec
from nasray.trainables.units import run_unit

OWN = "2x12:mb3k3,mb3k3/2x16:mb3k3,mb3k3"  # the teacher's
OTHERS = (
    "2x12:mb3k3,mb3k3/1x12:mb3k3",
    "1x8:skip/2x16:mb3k3,skip",
    "1x8:mb3k3/1x12:mb3k3",
    "2x12:mb3k3,mb3k3/1x12:skip",
)


@pytest.fixture
def teacher(search):
    """The teacher's network, whole."""
    weights = {"weights": str(search.teacher_folder / "weights.safetensors")}
    network = build_teacher(search.teacher.model_copy(update=weights), search.space)
    assert str(search.space.largest()) == OWN
    return place_module(search.compute, network, search.device)


@pytest.fixture
def supernets(save_supernets, teacher):
    """On the teacher's own path the supernets have the teacher's weights."""

    def prepare(block, cell, net):
        if (block, cell) in ((0, "2x12"), (1, "2x16")):
            copy_own_path(net, block, teacher.blocks[block])

    return save_supernets(always_adapt=False, prepare=prepare)


def copy_own_path(net, block, own):
    path = net.path((1, 12)[block], ("mb3k3", "mb3k3"))
    layers = list(own)
    if block == 0:
        net.entries[0].load_state_dict(nn.Sequential(layers.pop(0)).state_dict())
    for index, (choice, layer) in enumerate(zip(path.choices, layers, strict=True)):
        net.layer(index, path.entry)[choice].load_state_dict(layer.state_dict())


@pytest.fixture
def spec(search, targets, supernets, tmp_path):
    def build(*architectures, **changes):
        fields = {
            "name": "stitched",
            "folder": tmp_path / "stitched",
            "inputs": search,
            "architectures": architectures,
            "targets": tuple(targets().values()),
        }
        return StitchSpec(**fields | changes)

    return build


@pytest.fixture
def calibration(search):
    """The images on which the first block's candidates are calibrated for their ratings."""
    source = OnlineSource(
        TeacherResult.read(search.teacher_folder).load(search), 0, FeatureConfig(), search.compute
    )
    return BlockData(search.images, source, search.compute, seed=0).calibration_batches(64, 32)


def stitch(spec):
    assert list(run_stitch(spec)) == [{"num_stitched": len(spec.architectures)}]
    return read_stitched(spec.folder)


def test_the_teachers_own_blocks_are_as_accurate_as_the_teacher(spec, search, teacher, calibration):
    found = stitch(spec(OWN))["stitched_accuracy"][0]
    assert found == pytest.approx(TeacherResult.read(search.teacher_folder).held_out_accuracy, abs=0.1)
    reestimate(teacher, calibration)
    assert found == accuracy(teacher, search.images.held_out, search.compute)
    assert found > 0.6


def test_an_architecture_is_the_chain_of_its_blocks_with_their_adapters(spec, search, supernets, calibration):
    head = TeacherResult.read(search.teacher_folder).load(search).pieces[-1]
    found = stitch(spec(*OTHERS)).set_index("architecture")["stitched_accuracy"]
    assert tuple(found.index) == OTHERS
    for text in OTHERS:
        first, second = Architecture.parse(text).candidates
        blocks = (
            net.block(net.path(width, candidate.operations))
            for net, width, candidate in (
                (supernets[0, first.cell], 1, first),
                (supernets[1, second.cell], first.width, second),
            )
        )
        chain = nn.Sequential(*map(copy.deepcopy, blocks), head)
        reestimate(chain, calibration)
        assert found[text] == accuracy(chain, search.images.held_out, search.compute)


def test_what_is_measured_beside_it_changes_no_accuracy(spec, tmp_path):
    together = stitch(spec(OWN, *OTHERS))
    alone = [stitch(spec(text, folder=tmp_path / "alone")) for text in (OWN, *OTHERS)]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), together)
    assert together["stitched_accuracy"].nunique() > 2


def test_the_statistics_that_training_left_do_not_count(spec, targets, supernets):
    before = stitch(spec(OWN, *OTHERS))
    for place, target in targets().items():
        for name, buffer in supernets[place].named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(100)
        save_file({name: t.contiguous() for name, t in supernets[place].state_dict().items()}, target.weights)
    pd.testing.assert_frame_equal(stitch(spec(OWN, *OTHERS)), before)


def test_the_same_bytes_again(spec, tmp_path):
    first, second = spec(OWN, *OTHERS), spec(OWN, *OTHERS, folder=tmp_path / "again")
    stitch(first)
    mark_done(first.folder, first.fingerprint, [])
    assert first.is_done
    assert not second.is_done
    stitch(second)
    assert first.outputs[0].read_bytes() == second.outputs[0].read_bytes()
    first.outputs[0].unlink()
    assert not first.is_done


def test_a_teacher_of_other_classes_cannot_be_stitched(search, spec, tmp_path):
    teacher = search.teacher.model_copy(update={"num_classes": 7, "train": None})
    inputs = search.model_copy(update={"teacher": teacher, "teacher_folder": tmp_path / "teacher"})
    list(run_unit(TeacherSpec.of(inputs)))
    with pytest.raises(ValueError, match=r"the data has 10, teacher\.num_classes is 7"):
        list(run_stitch(spec(OWN, inputs=inputs)))


def test_architectures_are_of_the_space(spec):
    with pytest.raises(ValueError, match="3x12"):
        list(run_stitch(spec("3x12:skip,skip,skip/1x12:skip")))
