"""The units of work that a Ray Tune trial can be, and the function trainable that runs any of them."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from nasray.search_spaces.artefacts.run_files import DONE
from nasray.search_spaces.files.atomic_file import remove_temporaries
from nasray.search_spaces.names.attribute import load_attribute
from nasray.trainables.block_wise.left_out import LeftOut, OperationError, forget_others, leave_out
from nasray.trainables.block_wise.units.additivity import AdditivitySpec
from nasray.trainables.block_wise.units.cell import BlockSpec, RatingSpec, RatingTableSpec
from nasray.trainables.block_wise.units.refinement import RefinementSpec
from nasray.trainables.block_wise.units.seeds import SeedTableSpec
from nasray.trainables.block_wise.units.stitch import StitchSpec
from nasray.trainables.core.compute import device_kind, device_name
from nasray.trainables.core.guards.exits import exits_as_errors
from nasray.trainables.core.guards.notes import NOTES, collected_notes
from nasray.trainables.core.guards.watchdog import unwatched
from nasray.trainables.core.process_group import leading
from nasray.trainables.core.trainable import Metrics, drop_checkpoint, mark_done
from nasray.trainables.features.units import FeatureManifestSpec, FeatureShardSpec
from nasray.trainables.inputs import UnitSpec
from nasray.trainables.retrain.trainable import RetrainSpec
from nasray.trainables.sd_darts.trainable import SdDartsSpec
from nasray.trainables.teacher.unit import TeacherSpec

_BUILT_IN: dict[str, type[UnitSpec]] = {
    spec.model_fields["kind"].default: spec
    for spec in (
        TeacherSpec,
        FeatureShardSpec,
        FeatureManifestSpec,
        BlockSpec,
        RatingSpec,
        RatingTableSpec,
        SeedTableSpec,
        RefinementSpec,
        StitchSpec,
        AdditivitySpec,
        SdDartsSpec,
        RetrainSpec,
    )
}


def run_unit(spec: UnitSpec) -> Iterator[Metrics]:
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


def give_up(spec: UnitSpec, operation: LeftOut, *, in_training: bool) -> None:
    """Have the next attempt at a cell go on without an operation.

    Args:
        spec: The unit, which runs no more.
        operation: The operation.
        in_training: Whether the cell was in training, which then begins anew.
    """
    leave_out(spec.folder, spec.fingerprint, operation)
    if in_training:
        drop_checkpoint(spec.folder)


def _without_failing(spec: UnitSpec, history: list[Metrics]) -> Iterator[Metrics]:
    """Metrics of the unit; where an operation fails in training those of one without it follow, and history is over."""
    others_work = partial(_take_part, spec.model_dump(mode="json"))
    while True:
        try:
            with leading(spec.num_processes, device_kind(spec.inputs.compute), others_work):
                yield from spec.run()
        except OperationError as error:
            failed = LeftOut(error.place.layer, error.place.operation, error.reason)
            give_up(spec, failed, in_training=error.place.in_training)
            history.clear()
        else:
            return


def _take_part(plain: dict[str, Any]) -> None:
    """Train with the leader, in another process than the unit's; that process ends where the group disbands."""
    spec = parse_spec(plain)
    for _ in spec.run():
        pass


def parse_spec(plain: dict[str, Any]) -> UnitSpec:
    """The spec that `model_dump(mode="json")` gave as plain data.

    Raises:
        UserError: It is of a user's own class, which cannot be imported here.
    """
    kind = plain["kind"]
    return (_BUILT_IN.get(kind) or load_attribute(kind)).model_validate(plain)
