"""What is to be logged, kept while MLflow does not answer: nothing that trains waits for it."""

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

LOGGER = logging.getLogger("nasray")
_LEAST_PAUSE_SECONDS = 10.0
_PAUSE_PER_ATTEMPT = (
    20.0  # a call may hang until its timeout: at most a twentieth of the time goes by that way
)
_TOO_MANY_REQUESTS, _SERVERS_FAULT = 429, 500


class Backlog:
    """Calls to MLflow, made at once and in their order; while it does not answer they wait, and are tried again.

    Only what is the server's own fault, or the way's to it, is waited for; what it refuses is an error here and now.

    Args:
        place: What MLflow's place is called in messages.
        pause_seconds: Time between two attempts, at the least.
    """

    def __init__(self, place: str, pause_seconds: float = _LEAST_PAUSE_SECONDS) -> None:
        self._place, self._pause_seconds = place, pause_seconds
        self._waiting: deque[Callable[[], None]] = deque()
        self._next_attempt = 0.0
        self._is_away = False

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
                "MLflow at %s still does not answer: %d entries are missing there, and in no file of the run; the same "
                "search logs them when it answers",
                self._place,
                len(self._waiting),
            )

    def _make_calls(self) -> None:
        start = time.monotonic()
        try:
            while self._waiting:
                self._waiting[0]()
                self._waiting.popleft()
        except (MlflowException, OperationalError, OSError) as error:
            if isinstance(error, MlflowException) and not _is_passing(error):
                raise
            now = time.monotonic()
            self._next_attempt = now + max(self._pause_seconds, _PAUSE_PER_ATTEMPT * (now - start))
            if not self._is_away:
                LOGGER.warning(
                    "MLflow at %s does not answer; the search goes on, and logs to it what it missed once it does",
                    self._place,
                )
            self._is_away = True
            return
        if self._is_away:
            LOGGER.warning("MLflow at %s answers again and has what it missed", self._place)
        self._is_away = False


def _is_passing(error: MlflowException) -> bool:
    """Whether the same call may succeed later."""
    status = error.get_http_status_code()
    return status >= _SERVERS_FAULT or status == _TOO_MANY_REQUESTS
