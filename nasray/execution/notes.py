"""Warnings printed while units run."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ray import cloudpickle
from rich.console import Console

from nasray.scheduling.attempt import reason_of_trial
from nasray.scheduling.schedule import DriverCallback, name_of
from nasray.scheduling.unit import Unit
from nasray.search_spaces.files.damage import set_aside
from nasray.trainables.core.guards.notes import NOTES
from nasray.trainables.units import parse_spec


class TellNotes(DriverCallback):
    """Tune tells it of every event; prints what a unit noted, and that it is started again."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A unit told something."""
        for note in result.get(NOTES, ()):
            self._tell(trial, note)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit failed, and is started again."""
        folder = parse_spec(trial.config["spec"]).folder
        self._tell(
            trial,
            f"{reason_of_trial(_last_error(trial), folder)}; it is started again",
        )

    def _tell(self, trial: Any, text: str) -> None:
        self._console.print(f"{name_of(trial)}: {text}", soft_wrap=True)


def set_damaged_aside(units: Iterable[Unit], console: Console) -> None:
    """Set the damaged ones among the units' outputs aside, and say so."""
    for unit in units:
        for path in unit.spec.damaged:
            console.print(
                f"{path} was damaged: it is kept as {set_aside(path).name}, and made anew", soft_wrap=True
            )


def tell_unlike_devices(units: Iterable[Unit], console: Console) -> None:
    """Say where units of one kind, whose results are compared, computed on devices whose numbers differ."""
    devices = defaultdict[str, set[str]](set)
    for unit in units:
        devices[unit.spec.kind].update(unit.spec.devices)
    for kind, names in devices.items():
        if len(names) > 1:
            console.print(
                f"Units of the kind {kind} computed on unlike devices, {' and '.join(sorted(names))}, whose numbers "
                "differ by rounding: the same seed may rank otherwise where they are all alike. gpus_per_unit, "
                "gpus_by_kind and accelerator_type of resources choose the devices",
                soft_wrap=True,
            )


def _last_error(trial: Any) -> BaseException:
    """What Tune, in this process, has just written down of a trial's failure."""
    return cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
