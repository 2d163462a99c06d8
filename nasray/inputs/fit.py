"""The fit of a teacher to a space, and of settings to a space's blocks, before anything is trained."""

from collections.abc import Sequence

from rich.console import Console

from nasray.errors import UserError
from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.cutting.adapters import can_be_adapted, describe
from nasray.trainables.cutting.cutting import CutTeacher
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.teacher.judgement import judge_at_hand
from nasray.trainables.trials.teacher_trial import try_teacher


def tried_teacher(inputs: SearchInputs, console: Console) -> CutTeacher:
    """The teacher, cut, which keeps to what its units rely on."""
    tried = try_teacher(inputs)
    console.print(str(tried), soft_wrap=True)
    judge_at_hand(inputs, tried.model)
    assert tried.teacher is not None
    return tried.teacher


def check_shapes(teacher: CutTeacher, space: SearchSpace) -> None:
    """Hold each block's output to the teacher's at the same cut.

    Raises:
        UserError: Height or width differ somewhere, or there is not a token for each place; numbers of channels need
            not agree, since adapters see to them.
    """
    for block, shape in enumerate(teacher.feature_shapes[1:]):
        _, height, width = space.block_output_shape(block, space.blocks[block].widths[0])
        if not can_be_adapted(shape, (height, width)):
            raise UserError(
                f"block {block} of the space puts out {height}x{width}, but the teacher's features at cut {block} are "
                f"{describe(shape)}: move teacher.cuts or change the block's stride"
            )


def check_per_block(key: str, value: object, num_blocks: int) -> None:
    """Hold a setting that may differ by block to the number of blocks.

    Raises:
        UserError: It is a list of another length.
    """
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) != num_blocks:
        raise UserError(
            f"{key} must be one value or one for each of the {num_blocks} blocks, got {len(value)}"
        )
