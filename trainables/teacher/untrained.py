"""The config's teacher before any training, to plan with: its cuts, its features' shapes, what its parts cost."""

from torch import nn

from nasray.trainables.cutting.cutting import CutTeacher, cut, resolve_cuts
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.teacher import is_checkpoint
from nasray.trainables.teacher.teacher import build_teacher, build_untrained


def build_at_hand(inputs: SearchInputs) -> nn.Module:
    """The teacher as it is before any training; weights that would have to be downloaded are left out."""
    is_at_hand = inputs.teacher.weights is None or is_checkpoint(inputs.teacher.weights)
    return (build_teacher if is_at_hand else build_untrained)(inputs.teacher, inputs.space)


def untrained_teacher(inputs: SearchInputs) -> CutTeacher:
    """The teacher, cut, as it is before any training; weights that would have to be downloaded are left out."""
    model = build_at_hand(inputs).eval()
    cuts = resolve_cuts(model, inputs.teacher.cuts, inputs.space.input_shape, len(inputs.space.blocks))
    return cut(model, cuts, inputs.space.input_shape)
