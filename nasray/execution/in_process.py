"""Units run one after the other in this process, without Ray: what a schedule does, to be debugged."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nasray.scheduling.attempt import Attempt, PassingError
from nasray.scheduling.schedule import FAILURE, DriverCallback
from nasray.scheduling.unit import Unit
from nasray.storage.mirror import Mirror
from nasray.storage.staged import staged


@dataclass(frozen=True, slots=True)
class _Trial:
    """What callbacks read of a trial."""

    config: dict[str, Any]


def run_in_process(
    units: Sequence[Unit],
    done: set[str],
    mirror: Mirror | None,
    max_failures: int,
    callbacks: Sequence[DriverCallback],
) -> dict[str, str]:
    """Run the units; returns the failures, reason by unit's name.

    A unit that hangs is not ended, since that would end this process.

    Args:
        units: What to run.
        done: Names of the units that need not run since their results are there.
        mirror: The store of the run, if there is one.
        max_failures: How often a unit is tried again whose failure may pass.
        callbacks: Told of all events, as by Tune.
    """
    failures: dict[str, str] = {}
    finished, waiting = set(done), list(units)
    while ready := [unit for unit in waiting if finished.issuperset(unit.needs)]:
        unit = ready[0]
        waiting.remove(unit)
        reason = _run(unit, mirror, max_failures, callbacks)
        if reason is None:
            finished.add(unit.name)
        else:
            failures[unit.name] = reason
    return failures


def _run(
    unit: Unit, mirror: Mirror | None, max_failures: int, callbacks: Sequence[DriverCallback]
) -> str | None:
    """Why the unit failed for good; None: it is done."""
    trial = _Trial({"name": unit.name, "spec": unit.spec.model_dump(mode="json")})

    def tell(event: str, **what: Any) -> None:
        for callback in callbacks:
            getattr(callback, event)(0, [], trial, **what)
            callback.on_step_end(0, [])

    num_failures = 0
    while True:
        tell("on_trial_start")
        try:
            with staged(unit.spec, mirror) as leave:
                attempt = Attempt(unit.spec, secrets.token_hex(8), None, leave)
                reason = attempt.run(lambda metrics: tell("on_trial_result", result=dict(metrics)))
        except PassingError as error:
            num_failures += 1
            if num_failures > max_failures:
                tell("on_trial_error")
                return str(error)
            continue
        if reason is not None:
            tell("on_trial_result", result={FAILURE: reason})
        tell("on_trial_complete")
        return reason
