import json

import pytest
import torch

from trainables.feature_units import FeatureManifestSpec, FeatureShardSpec
from trainables.inputs import SearchInputs
from trainables.teacher_unit import TeacherResult, TeacherSpec
from trainables.units import parse_spec, run_unit


@pytest.fixture
def inputs(tmp_path):
    return SearchInputs.model_validate(
        {
            "seed": 0,
            "data": {"num_train_images": 64, "num_held_out_images": 32},
            "teacher": {"source": "largest", "train": {"epochs": 1, "batch_size": 32}},
            "search_space": {"source": "digits"},
            "features": {"mode": ["cached"] * 3},
            "compute": {"device": "cpu"},
            "teacher_folder": tmp_path / "teacher",
            "features_root": tmp_path / "features",
        }
    )


def teacher_unit(inputs):
    return TeacherSpec(name="teacher", folder=inputs.teacher_folder, inputs=inputs)


def test_the_teacher_is_trained_cut_and_found_again(inputs):
    spec = teacher_unit(inputs)
    assert not spec.is_done
    metrics = list(run_unit(spec))
    assert [m.get("epoch") for m in metrics] == [1, None]
    assert spec.is_done
    result = TeacherResult.read(inputs.teacher_folder)
    assert result.cuts == ("blocks.0", "blocks.1", "blocks.2")
    assert result.feature_shapes == ((1, 8, 8), (16, 8, 8), (24, 4, 4), (40, 2, 2))
    teacher = result.load(inputs)
    images = inputs.images.held_out
    right = (teacher(images.images(range(32))).argmax(1) == images.labels(range(32))).float().mean()
    assert float(right) == pytest.approx(result.held_out_accuracy)


def test_a_done_unit_does_nothing_and_other_inputs_do_it_again(inputs):
    list(run_unit(teacher_unit(inputs)))
    assert list(run_unit(teacher_unit(inputs))) == []
    assert not teacher_unit(inputs.model_copy(update={"seed": 1})).is_done


def test_a_moved_run_is_still_done(inputs, tmp_path):
    list(run_unit(teacher_unit(inputs)))
    moved = tmp_path / "moved"
    inputs.teacher_folder.rename(moved)
    assert teacher_unit(inputs.model_copy(update={"teacher_folder": moved})).is_done


def test_features_are_done_when_the_cache_has_them_whoever_wrote_them(inputs, tmp_path):
    list(run_unit(teacher_unit(inputs)))

    def units(run):
        common = {"inputs": inputs, "split": "held_out"}
        return (
            FeatureShardSpec(name="s", folder=tmp_path / run / "s", shard=0, **common),
            FeatureManifestSpec(name="m", folder=tmp_path / run / "m", **common),
        )

    assert not any(unit.is_done for unit in units("first"))
    for unit in units("first"):
        list(run_unit(unit))
    assert all(unit.is_done for unit in units("second"))


def test_a_spec_survives_as_plain_data(inputs):
    spec = teacher_unit(inputs)
    plain = json.loads(json.dumps(spec.model_dump(mode="json")))
    assert parse_spec(plain) == spec
    assert parse_spec(plain).fingerprint == spec.fingerprint


def test_the_same_seed_gives_the_same_teacher(inputs, tmp_path):
    fingerprints = []
    for name in ("a", "b"):
        here = inputs.model_copy(update={"teacher_folder": tmp_path / name})
        torch.rand(5)
        list(run_unit(teacher_unit(here)))
        fingerprints.append(TeacherResult.read(tmp_path / name).fingerprint)
    assert fingerprints[0] == fingerprints[1]
