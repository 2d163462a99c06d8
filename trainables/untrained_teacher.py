"""The config's teacher before any training, to plan with: its cuts, its features' shapes, what its parts cost."""

from trainables.cutting import CutTeacher, cut, resolve_cuts
from trainables.inputs import SearchInputs
from trainables.teacher import build_teacher, check_weights_name, is_checkpoint


def untrained_teacher(inputs: SearchInputs) -> CutTeacher:
    """The teacher, cut, as it is before any training; weights that would have to be downloaded are left out."""
    teacher = inputs.teacher
    if teacher.weights is not None and not is_checkpoint(teacher.weights):
        check_weights_name(teacher, inputs.space.num_classes)
        teacher = teacher.model_copy(update={"weights": None})
    model = build_teacher(teacher, inputs.space).eval()
    cuts = resolve_cuts(model, teacher.cuts, inputs.space.input_shape, len(inputs.space.blocks))
    return cut(model, cuts, inputs.space.input_shape)
