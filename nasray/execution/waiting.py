"""A line of text when a unit waits for a node that is not there, which might never come."""

import time
from typing import Any

from ray.tune.experiment import Trial
from rich.console import Console

from nasray.scheduling.placement import describe, has_node
from nasray.scheduling.schedule import DriverCallback
from nasray.settings.resources import ResourcesConfig
from nasray.trainables.units import parse_spec

_SECONDS_BETWEEN_LOOKS = 10.0


class TellWaiting(DriverCallback):
    """Tune tells it of every step; prints that no node can run what waits, and that one can again.

    Args:
        resources: What the run may use.
        console: Where to print.
        patience: Seconds for which no node must be there before it is said; a rented machine takes minutes to come.
    """

    def __init__(self, resources: ResourcesConfig, console: Console, patience: float = 60.0) -> None:
        self._resources, self._console, self._patience = resources, console, patience
        self._next_look = 0.0
        self._since: float | None = None
        self._is_told = False

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look, now and then."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + min(_SECONDS_BETWEEN_LOOKS, self._patience)
        waiting = (parse_spec(trial.config["spec"]) for trial in trials if trial.status == Trial.PENDING)
        homeless = next((spec for spec in waiting if not has_node(spec, self._resources)), None)
        if homeless is None:
            if self._is_told:
                self._console.print(
                    "There is a node again for what waits: the search goes on", soft_wrap=True
                )
            self._since, self._is_told = None, False
            return
        if self._since is None:
            self._since = now
        if not self._is_told and now - self._since >= self._patience:
            self._console.print(
                f"{homeless.name} waits for a node that has {describe(homeless, self._resources)}: none is there now",
                soft_wrap=True,
            )
            self._is_told = True
