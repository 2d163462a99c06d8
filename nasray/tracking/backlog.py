"""The backlog of calls to MLflow, kept while it does not take them: nothing that trains waits for it."""

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from nasray.interrupts import interrupts_delayed
from nasray.tracking.mlflow_place import PLACE_ERRORS, does_not_answer, shown_uri, told_reason

LOGGER = logging.getLogger("nasray")
_LEAST_PAUSE_SECONDS = 10.0
_PAUSE_PER_ATTEMPT = (
    20.0  # a call may hang until its timeout: at most a twentieth of the time goes by that way
)


class Backlog:
    """Calls to MLflow, made at once and in their order; while it does not take them they wait, and are tried again.

    What it refuses waits, too: Tune makes these calls, and an error would end trainings because a password expired.

    Args:
        uri: MLflow's place; messages show it without its secrets.
        pause_seconds: Time between two attempts, at the least.
    """

    def __init__(self, uri: str, pause_seconds: float = _LEAST_PAUSE_SECONDS) -> None:
        self._uri, self._pause_seconds = uri, pause_seconds
        self._waiting: deque[Callable[[], None]] = deque()
        self._next_attempt = 0.0
        self._trouble = ""

    def call(self, function: Callable[..., None], *arguments: Any, **named: Any) -> None:
        """Make a call after all that wait, now or later.

        Args:
            function: May be called again where it failed half-way.
            arguments: What it is called with.
            named: The same, by name.
        """
        self._waiting.append(partial(function, *arguments, **named))
        if time.monotonic() >= self._next_attempt:
            self._make_calls()

    def finish(self) -> None:
        """Try once more to make all calls that wait; say how many still do."""
        if self._waiting:
            self._make_calls()
        if self._waiting:
            LOGGER.warning(
                "MLflow at %s still %s: %d entries are missing there, and in no file of the run; the same search logs "
                "them when that is over",
                shown_uri(self._uri),
                self._trouble,
                len(self._waiting),
            )

    def _make_calls(self) -> None:
        start = time.monotonic()
        try:
            while self._waiting:
                # A call that is broken off would be made twice, and may leave a database locked for the second time.
                with interrupts_delayed():
                    self._waiting[0]()
                    self._waiting.popleft()
        except PLACE_ERRORS as error:
            now = time.monotonic()
            self._next_attempt = now + max(self._pause_seconds, _PAUSE_PER_ATTEMPT * (now - start))
            self._tell(error)
            return
        if self._trouble:
            LOGGER.warning("MLflow at %s answers again and has what it missed", shown_uri(self._uri))
        self._trouble = ""

    def _tell(self, error: Exception) -> None:
        """Warn of the first error since MLflow took something."""
        before = self._trouble
        refusal = f"refuses what is to be logged ({told_reason(error, self._uri)})"
        self._trouble = "does not answer" if does_not_answer(error) else refusal
        if not before:
            LOGGER.warning(
                "MLflow at %s %s; the search goes on, and logs what it missed once that is over",
                shown_uri(self._uri),
                self._trouble,
            )
