"""An attempt at a unit, in the process of a trial: how it ends, and what it leaves of why it failed."""

import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from ray.exceptions import RayError, RayTaskError

from nasray.search_spaces.files.atomic_file import write_json
from nasray.search_spaces.files.json_file import read_object
from nasray.trainables.block_wise.left_out import LeftOut, Place
from nasray.trainables.core.guards.faults import joined, may_pass, place_of, reason_of
from nasray.trainables.core.guards.watchdog import watched
from nasray.trainables.core.trainable import Metrics
from nasray.trainables.inputs import UnitSpec
from nasray.trainables.units import give_up, run_unit

_REASON = "failure.txt"
_HUNG = "hung.json"
_LONGEST_PUSH_SECONDS = 60.0


class PassingError(RuntimeError):
    """A failure that another attempt may not meet; the message is its reason, in a line."""


class Attempt:
    """One attempt at a unit.

    Args:
        spec: The unit.
        launch: What tells this launch's attempts from those of others.
        max_step_seconds: For how long it may make no step; None: without end.
        leave: Brings what it wrote to the store, if there is one.
    """

    def __init__(
        self, spec: UnitSpec, launch: str, max_step_seconds: float | None, leave: Callable[[], None]
    ) -> None:
        self._spec, self._launch, self._limit, self._leave = spec, launch, max_step_seconds, leave

    def run(self, report: Callable[[Metrics], None]) -> str | None:
        """Run the unit, and report its metrics.

        Returns:
            The reason, in a line, of a failure that would come again; None: it is done.

        Raises:
            PassingError: It failed, but may not do so again.
        """
        hung = read_object(self._spec.folder / _HUNG, "launch", "reason")
        if hung is not None and hung["launch"] == self._launch:
            return str(hung["reason"])
        for name in (_HUNG, _REASON):  # of an earlier attempt
            (self._spec.folder / name).unlink(missing_ok=True)
        try:
            with nullcontext() if self._limit is None else watched(self._limit, self._end):
                for metrics in run_unit(self._spec):
                    self._leave()
                    report(metrics)
        except Exception as error:
            reason = reason_of(error)
            _leave_reason(self._spec.folder, reason, traceback.format_exc())
            if may_pass(error) or isinstance(error, RayError):
                raise PassingError(reason) from error
            return reason
        return None

    def _end(self, task: Any, stack: traceback.StackSummary) -> None:
        """What is to be done before the process of a unit that hangs is ended."""
        when = task.when if isinstance(task, Place) else ""
        reason = joined(f"no step for {self._limit:g} s", when, place_of(stack))
        _leave_reason(self._spec.folder, reason, "It stood there:\n" + "".join(stack.format()))
        if isinstance(task, Place):
            give_up(self._spec, LeftOut(None, task.operation, reason), in_training=task.in_training)
        else:
            write_json(self._spec.folder / _HUNG, {"launch": self._launch, "reason": reason})
        pushing = Thread(target=self._leave, daemon=True)  # it may be the store that hangs
        pushing.start()
        pushing.join(_LONGEST_PUSH_SECONDS)


def told_failure(folder: Path) -> Path | None:
    """The file in a unit's folder that tells why its last attempt failed, reason first; None: there is none."""
    path = folder / _REASON
    return path if path.exists() else None


def reason_of_trial(error: BaseException, folder: Path) -> str:
    """Why an attempt of a trial failed, in a line.

    Args:
        error: What Tune has of it.
        folder: The unit's.
    """
    if isinstance(error, RayTaskError):
        return str(error.cause) if isinstance(error.cause, PassingError) else reason_of(error.cause)
    told = told_failure(folder)  # by the watchdog, before it ended the process
    return (
        "its process or its node died"
        if told is None
        else told.read_text(encoding="utf-8").partition("\n")[0]
    )


def _leave_reason(folder: Path, reason: str, details: str) -> None:
    with suppress(OSError):  # the disk may be what failed
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _REASON).write_text(f"{reason}\n\n{details}", encoding="utf-8")
