"""Warnings printed while units run."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from nasray.scheduling.schedule import DriverCallback, name_of
from nasray.scheduling.unit import Unit
from nasray.search_spaces.files.damage import set_aside
from nasray.trainables.core.notes import NOTES


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
        self._tell(trial, f"{_last_failure(trial)}; it is started again where it was after its last epoch")

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


def _last_failure(trial: Any) -> str:
    """What Tune, in this process, has just written down of a trial's failure, without its traceback."""
    text = Path(trial.error_file).read_text(encoding="utf-8").rpartition("Failure # ")[2]
    return "its process or its node died" if "The actor" in text else text.strip().splitlines()[-1]
