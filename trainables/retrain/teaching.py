"""The teacher of a retraining: the trained one of the search, or what it was after each of its epochs."""

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.trainables.core.compute import place_module
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.retrain.distillation import Distillation, TeacherOfEpoch, build_adapters, teacher_epoch
from nasray.trainables.settings.training import DistillationConfig
from nasray.trainables.teacher.unit import TeacherResult


def build_distillation(
    inputs: SearchInputs, architecture: Architecture, config: DistillationConfig, num_epochs: int
) -> Distillation:
    """What the search's teacher adds to the training of `architecture` for `num_epochs`.

    Raises:
        UserError: The teacher tells other classes apart, or has no epochs to learn from.
        FileNotFoundError: The teacher is not finished.
    """
    num_classes, of_data = inputs.teacher.num_classes, inputs.images.num_classes
    if config.logits and num_classes not in (None, of_data):
        raise UserError(
            f"distillation of logits needs a teacher of the data's {of_data} classes, got one of {num_classes}: "
            "set its logits to 0 and its features above 0, or take another teacher"
        )
    result = TeacherResult.read(inputs.teacher_folder)
    shapes = [
        inputs.space.block_output_shape(block, candidate.width)
        for block, candidate in enumerate(architecture.candidates)
    ]
    adapters = build_adapters(shapes, result.feature_shapes[1:])
    teacher = _in_steps(inputs, result, num_epochs) if config.multi_step else _trained(inputs, result)
    return Distillation(place_module(inputs.compute, adapters, inputs.device), teacher, config)


def _trained(inputs: SearchInputs, result: TeacherResult) -> TeacherOfEpoch:
    """Gives the trained teacher in every epoch."""
    teacher = _placed(inputs, result.load(inputs))
    return lambda _epoch: teacher


def _in_steps(inputs: SearchInputs, result: TeacherResult, num_epochs: int) -> TeacherOfEpoch:
    """Gives the teacher of its own epoch, which must have been kept."""
    train = inputs.teacher.train
    if train is None:
        raise UserError(
            "distillation.multi_step needs a teacher that the search trains, got no teacher.train: give it, or set "
            "multi_step to false"
        )
    num_teacher_epochs = train.epochs
    return lambda epoch: _placed(
        inputs, result.load(inputs, epoch=teacher_epoch(epoch, num_epochs, num_teacher_epochs))
    )


def _placed(inputs: SearchInputs, teacher: CutTeacher) -> CutTeacher:
    """The teacher on the device."""
    return place_module(inputs.compute, teacher, inputs.device)
