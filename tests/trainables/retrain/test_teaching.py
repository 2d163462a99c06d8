import pytest
import torch

from nasray.search_spaces.architecture import Architecture
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.retrain.teaching import build_distillation
from nasray.trainables.settings.training import DistillationConfig
from nasray.trainables.teacher.unit import TeacherResult, TeacherSpec
from nasray.trainables.units import run_unit

ARCHITECTURE = Architecture.parse("2x16:mb3k3,mb3k3/2x24:mb3k3,mb3k3/2x32:mb3k3,mb3k3")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    inputs = SearchInputs.model_validate(
        {
            "seed": 0,
            "data": {"num_train_images": 64, "num_held_out_images": 32},
            "teacher": {"source": "largest", "train": {"epochs": 2, "batch_size": 32}},
            "search_space": {"source": "digits"},
            "features": {"mode": ["online"] * 3},
            "compute": {"device": "cpu"},
            "teacher_folder": tmp_path_factory.mktemp("teacher"),
            "features_root": tmp_path_factory.mktemp("features"),
        }
    )
    list(run_unit(TeacherSpec.of(inputs, keep_epochs=True)))
    return inputs


def with_teacher(inputs, **changes):
    return inputs.model_copy(update={"teacher": inputs.teacher.model_copy(update=changes)})


@pytest.mark.parametrize(("multi_step", "epochs"), [(False, [None, None, None, None]), (True, [1, 1, 2, 2])])
def test_each_epoch_has_its_teacher(inputs, multi_step, epochs):
    """Four epochs of the student, two of the teacher."""
    config = DistillationConfig(multi_step=multi_step)
    distillation = build_distillation(inputs, ARCHITECTURE, config, num_epochs=4)
    student, images = inputs.space.build(ARCHITECTURE).eval(), inputs.images.held_out.images(range(16))
    result = TeacherResult.read(inputs.teacher_folder)
    for epoch, teachers in enumerate(epochs):
        distillation.start_epoch(epoch)
        target = (result.load(inputs, epoch=teachers)(images) / 4).softmax(1)
        taught = distillation(student, images)
        kl = (target * (target.log() - (taught.logits / 4).log_softmax(1))).sum(1).mean()
        torch.testing.assert_close(taught.loss.detach(), 16 * kl.detach())


def test_adapters_bring_the_students_widths_to_the_teachers(inputs):
    distillation = build_distillation(inputs, ARCHITECTURE, DistillationConfig(features=1.0), num_epochs=4)
    widths = [shape[0] for shape in TeacherResult.read(inputs.teacher_folder).feature_shapes[1:]]
    assert widths == [16, 24, 40]
    assert [type(adapter).__name__ for adapter in distillation.adapters] == ["Identity", "Identity", "Conv2d"]
    assert distillation.adapters[2].weight.shape == (40, 32, 1, 1)


def test_a_teacher_of_other_classes_teaches_features_alone(inputs):
    foreign = with_teacher(inputs, num_classes=1000)
    with pytest.raises(ValueError, match="teacher of the data's 10 classes, got one of 1000"):
        build_distillation(foreign, ARCHITECTURE, DistillationConfig(features=1.0), num_epochs=2)


def test_steps_need_a_teacher_that_was_trained(inputs):
    untrained = with_teacher(inputs, train=None)
    with pytest.raises(ValueError, match="multi_step needs a teacher that the search trains"):
        build_distillation(untrained, ARCHITECTURE, DistillationConfig(multi_step=True), num_epochs=2)


def test_nothing_is_taught_before_the_teacher_is_done(inputs, tmp_path):
    early = inputs.model_copy(update={"teacher_folder": tmp_path})
    with pytest.raises(FileNotFoundError):
        build_distillation(early, ARCHITECTURE, DistillationConfig(), num_epochs=2)
