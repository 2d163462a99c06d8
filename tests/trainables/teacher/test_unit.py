import json

import pytest
import torch
from torch import nn

from nasray.errors import UserError
from nasray.trainables.features.units import FeatureManifestSpec, FeatureShardSpec
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.teacher import TeacherConfig
from nasray.trainables.teacher import unit
from nasray.trainables.teacher.unit import TeacherResult, TeacherSpec
from nasray.trainables.units import parse_spec, run_unit


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
    shard, manifest = units("first")
    list(run_unit(shard))
    assert [unit.is_done for unit in units("second")] == [True, False]
    list(run_unit(manifest))
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


def with_epochs(inputs, epochs, **settings):
    train = inputs.teacher.train.model_copy(update={"epochs": epochs, **settings})
    return inputs.model_copy(update={"teacher": inputs.teacher.model_copy(update={"train": train})})


def test_the_teacher_of_each_epoch_is_kept_where_that_is_asked_for(inputs, tmp_path):
    inputs = with_epochs(inputs, 2)
    list(run_unit(TeacherSpec.of(inputs)))
    plain = TeacherResult.read(inputs.teacher_folder).fingerprint
    kept = TeacherSpec.of(inputs, keep_epochs=True)
    assert TeacherSpec.of(inputs).is_done
    assert not kept.is_done
    assert parse_spec(kept.model_dump(mode="json")).keep_epochs
    list(run_unit(kept))
    assert kept.is_done
    assert TeacherSpec.of(inputs).is_done
    result = TeacherResult.read(inputs.teacher_folder)
    assert result.fingerprint == plain
    images = inputs.images.held_out.images(range(8))
    answers = [result.load(inputs, epoch=epoch)(images) for epoch in (1, 2)]
    assert torch.equal(answers[1], result.load(inputs)(images))
    assert not torch.equal(answers[0], answers[1])
    with pytest.raises(ValueError, match=r"epochs/3.safetensors, there are none: run the search again"):
        result.load(inputs, epoch=3)


def test_epochs_are_kept_across_an_interruption(inputs, tmp_path):
    """Also across one of a run that did not keep them, which begins anew."""
    inputs = with_epochs(inputs, 2)
    contents = []
    for name, keeps_first in (("whole", None), ("parted", True), ("changed", False)):
        here = inputs.model_copy(update={"teacher_folder": tmp_path / name})
        if keeps_first is not None:
            running = run_unit(TeacherSpec.of(here, keep_epochs=keeps_first))
            next(running)
            running.close()
        list(run_unit(TeacherSpec.of(here, keep_epochs=True)))
        files = ["epochs/1.safetensors", "epochs/2.safetensors", "weights.safetensors"]
        contents.append([(here.teacher_folder / file).read_bytes() for file in files])
    assert contents[0] == contents[1] == contents[2]


def test_an_earlier_teachers_epochs_are_not_taken_for_this_ones(inputs):
    list(run_unit(TeacherSpec.of(inputs, keep_epochs=True)))
    other = with_epochs(inputs, 1, lr=0.01)
    list(run_unit(TeacherSpec.of(other)))
    assert TeacherSpec.of(other).is_done
    assert not TeacherSpec.of(other, keep_epochs=True).is_done


def test_a_teacher_with_an_average_is_that_average(inputs):
    inputs = with_epochs(inputs, 2, ema_decay=0.9)
    *_, last, final = run_unit(TeacherSpec.of(inputs, keep_epochs=True))
    assert final["held_out_accuracy"] == last["held_out_accuracy"]
    folder = inputs.teacher_folder
    assert (folder / "weights.safetensors").read_bytes() == (folder / "epochs/2.safetensors").read_bytes()


def test_a_teacher_that_computes_something_else_is_refused(inputs, monkeypatch):
    """As after an upgrade of a library: here a norm's epsilon is another one."""
    list(run_unit(teacher_unit(inputs)))
    result = TeacherResult.read(inputs.teacher_folder)
    result.load(inputs)
    build = unit.build_untrained

    def upgraded(*arguments):
        model = build(*arguments)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.1
        return model

    monkeypatch.setattr(unit, "build_untrained", upgraded)
    with pytest.raises(
        ValueError, match=r"but at cut 'blocks.0' it gives other values here \(torch .* then and"
    ):
        result.load(inputs)
    unit.check_finished_teacher(inputs)  # the libraries are the same: their versions say so
    monkeypatch.setattr(unit, "library_versions", lambda: {"torch": "3.0", "torchvision": "1.0"})
    with pytest.raises(ValueError, match="it gives other values here"):
        unit.check_finished_teacher(inputs)


class NanOnDarkImages(nn.Module):
    """What it gives for noise is finite, so that no trial before a search finds anything."""

    def forward(self, images):
        logits = images.flatten(1)[:, :10]
        return logits.masked_fill((images.flatten(1).median(dim=1).values < -0.3)[:, None], torch.nan)


def test_a_teacher_that_answers_nan_is_told_as_that(inputs, monkeypatch):
    """And neither as one that is right by chance nor for its cuts."""
    monkeypatch.setattr(unit, "build_teacher", lambda *_: NanOnDarkImages())
    spec = teacher_unit(inputs.model_copy(update={"teacher": TeacherConfig(source="largest")}))
    with pytest.raises(
        UserError, match="largest must answer numbers in evaluation mode, got NaN for held-out"
    ):
        list(run_unit(spec))
