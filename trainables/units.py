"""The units of work that a Ray Tune trial can be, and the function trainable that runs any of them."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from nasray.search_spaces.files.atomic_file import remove_temporaries
from nasray.trainables.block_wise.left_out import LeftOut, OperationError, forget_others, leave_out
from nasray.trainables.block_wise.units.additivity import AdditivitySpec, run_additivity
from nasray.trainables.block_wise.units.cell import (
    BlockSpec,
    RatingSpec,
    RatingTableSpec,
    run_block,
    run_rating,
    run_rating_table,
)
from nasray.trainables.block_wise.units.refinement import RefinementSpec, run_refinement
from nasray.trainables.block_wise.units.seeds import SeedTableSpec, run_seed_table
from nasray.trainables.block_wise.units.stitch import StitchSpec, run_stitch
from nasray.trainables.core.compute import device_kind, device_name
from nasray.trainables.core.exits import exits_as_errors
from nasray.trainables.core.notes import NOTES, collected_notes
from nasray.trainables.core.process_group import leading
from nasray.trainables.core.trainable import DONE, Metrics, drop_checkpoint, mark_done
from nasray.trainables.core.watchdog import unwatched
from nasray.trainables.features.units import (
    FeatureManifestSpec,
    FeatureShardSpec,
    run_feature_manifest,
    run_feature_shard,
)
from nasray.trainables.inputs import UnitSpec
from nasray.trainables.retrain.trainable import RetrainFoundSpec, RetrainSpec, run_retrain, run_retrain_found
from nasray.trainables.sd_darts.trainable import SdDartsSpec, run_sd_darts
from nasray.trainables.teacher.unit import TeacherSpec, run_teacher

Spec = (
    TeacherSpec
    | FeatureShardSpec
    | FeatureManifestSpec
    | BlockSpec
    | RatingSpec
    | RatingTableSpec
    | SeedTableSpec
    | RefinementSpec
    | StitchSpec
    | AdditivitySpec
    | SdDartsSpec
    | RetrainFoundSpec
    | RetrainSpec
)

_RUN: dict[type[UnitSpec], Callable[[Any], Iterator[Metrics]]] = {
    TeacherSpec: run_teacher,
    FeatureShardSpec: run_feature_shard,
    FeatureManifestSpec: run_feature_manifest,
    BlockSpec: run_block,
    RatingSpec: run_rating,
    RatingTableSpec: run_rating_table,
    SeedTableSpec: run_seed_table,
    RefinementSpec: run_refinement,
    StitchSpec: run_stitch,
    AdditivitySpec: run_additivity,
    SdDartsSpec: run_sd_darts,
    RetrainFoundSpec: run_retrain_found,
    RetrainSpec: run_retrain,
}


_SPEC: TypeAdapter[Spec] = TypeAdapter(Annotated[Spec, Field(discriminator="kind")])


def run_unit(spec: Spec) -> Iterator[Metrics]:
    """Metrics of the unit as it runs, from wherever an earlier attempt left off; marks it done at the end.

    Nothing is run again where the unit is done already. The marker tells the CPU time of the process meanwhile as
    `cpu_seconds`; of epochs of an earlier attempt their wall time. It names the `devices` of all attempts.

    A cell of which an operation fails in training is trained anew without it, from the same seeds: weights that were
    trained half-way beside it would be rated else.
    """
    if spec.is_done:
        return
    spec.folder.mkdir(parents=True, exist_ok=True)
    # A unit of other inputs may have been done here: from now on its results are no longer whole.
    (spec.folder / DONE).unlink(missing_ok=True)
    remove_temporaries(spec.folder)
    forget_others(spec.folder, spec.fingerprint)
    history: list[Metrics] = []
    start, before = time.process_time(), 0.0
    with collected_notes() as notes, exits_as_errors():
        for metrics in _without_failing(spec, history):
            before += metrics.get("seconds", 0.0) if metrics.get("replayed") else 0.0
            history.append({key: value for key, value in metrics.items() if key != "replayed"})
            with unwatched():
                yield {**metrics, NOTES: list(notes)} if notes else metrics
            notes.clear()
    cpu_seconds = before + time.process_time() - start
    of_epochs = (metrics["device"] for metrics in history if "device" in metrics)
    devices = {device_name(device_kind(spec.inputs.compute)), *of_epochs}
    mark_done(
        spec.folder,
        spec.fingerprint,
        history,
        spec.outputs,
        cpu_seconds=cpu_seconds,
        devices=sorted(devices),
    )


def give_up(spec: Spec, operation: LeftOut, *, in_training: bool) -> None:
    """Have the next attempt at a cell go on without an operation.

    Args:
        spec: The unit, which runs no more.
        operation: The operation.
        in_training: Whether the cell was in training, which then begins anew.
    """
    leave_out(spec.folder, spec.fingerprint, operation)
    if in_training:
        drop_checkpoint(spec.folder)


def _without_failing(spec: Spec, history: list[Metrics]) -> Iterator[Metrics]:
    """Metrics of the unit; where an operation fails in training those of one without it follow, and history is over."""
    others_work = partial(_take_part, spec.model_dump(mode="json"))
    while True:
        try:
            with leading(spec.num_processes, device_kind(spec.inputs.compute), others_work):
                yield from _RUN[type(spec)](spec)
        except OperationError as error:
            failed = LeftOut(error.place.layer, error.place.operation, error.reason)
            give_up(spec, failed, in_training=error.place.in_training)
            history.clear()
        else:
            return


def _take_part(plain: dict[str, Any]) -> None:
    """Train with the leader, in another process than the unit's; that process ends where the group disbands."""
    spec = parse_spec(plain)
    for _ in _RUN[type(spec)](spec):
        pass


def parse_spec(plain: dict[str, Any]) -> Spec:
    """The spec that `model_dump(mode="json")` gave as plain data."""
    return _SPEC.validate_python(plain)
