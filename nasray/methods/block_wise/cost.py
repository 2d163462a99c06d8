"""Work of a block-wise search.

Counted in multiply-accumulates, since units of a search are unlike in all else; a training step counts as three forward
passes. What is estimated for the schedule (a cell's training and rating, see `plan`) is taken from there; added are the
teacher's training, its features and the swap-in ratings.
"""

from nasray.methods.block_wise.plan import rating_units
from nasray.run.folder import RunFolder
from nasray.search_spaces.costs.cost import measure
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.features.choice import prefix_macs
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.block_wise import BlockWiseConfig
from nasray.trainables.teacher.unit import TeacherResult


def search_macs(
    search: BlockWiseConfig, config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs
) -> dict[str, float]:
    """Estimated multiply-accumulates of a finished search by what they are for.

    Returns:
        `teacher` (its training, 0 where it came trained), `features` (for the cache), `cells` (training and rating of
        all cells; where features are not cached with the teacher's part in every step), `swap_in` (candidates inside
        the teacher).
    """
    teacher = TeacherResult.read(inputs.teacher_folder).load(inputs)
    prefixes = prefix_macs(teacher)
    whole = prefixes[-1] + measure(teacher.pieces[-1], teacher.feature_shapes[-1]).num_macs
    num_train, num_held_out = inputs.summary.num_train, inputs.summary.num_held_out
    trained, rating = config.teacher.train if config.teacher else None, search.rating
    modes = inputs.features.modes
    cached = max(
        (prefix for prefix, mode in zip(prefixes, modes, strict=False) if mode == "cached"), default=0
    )
    features = float(cached * sum(inputs.feature_rows.values()))
    swap_in = 0.0
    for k, (block, prefix) in enumerate(zip(inputs.space.blocks, prefixes, strict=True)):
        num_rated = block.num_candidates * len(inputs.space.entry_widths(k))
        swap_in += num_rated * min(rating.swap_in_images, num_held_out) * (whole - prefix)
    return {
        "teacher": 0.0 if trained is None else 3.0 * trained.epochs * num_train * whole,
        "features": features,
        "cells": sum(float(unit.cost) for unit in rating_units(search, folder, inputs)),
        "swap_in": swap_in,
    }
