"""The live view of running units: a table on a terminal, a line per finished unit elsewhere."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from nasray.scheduling.schedule import FAILURE, DriverCallback, name_of
from nasray.scheduling.unit import Unit

_REFRESH_SECONDS = 1.0
_SHOWN_ROWS = 24
_LOSSES = ("held_out_relative_l1", "held_out_accuracy")


@dataclass
class _State:
    """What is known of a unit."""

    state: str = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    metrics: dict[str, Any] = field(default_factory=dict)


class LiveView(DriverCallback):
    """Tune tells it of every event in the schedules of a launch; draws them, and counts the units of all."""

    def __init__(self, console: Console) -> None:
        self._states: dict[str, _State] = {}
        self._console = console
        self._live: Live | None = None
        self._drawn = 0.0

    @contextmanager
    def showing(self, units: Sequence[Unit]) -> Iterator[Self]:
        """Within, the next schedule runs, of these units."""
        self._states |= {unit.name: _State() for unit in units}
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield self

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Redraw, now and then."""
        if self._live and time.monotonic() - self._drawn > _REFRESH_SECONDS:
            self._live.update(self._table(), refresh=True)
            self._drawn = time.monotonic()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit started, or started again."""
        state = self._state(trial)
        state.state, state.started = "running", time.monotonic()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A unit finished an epoch."""
        self._state(trial).metrics.update(result)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit failed, and is to be started again."""
        self._state(trial).state = "waiting"

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended."""
        state = self._state(trial)
        self._end(trial, "failed" if FAILURE in state.metrics else "done")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A unit ended with an error for good."""
        self._end(trial, "failed")

    def _state(self, trial: Any) -> _State:
        return self._states[name_of(trial)]

    def _end(self, trial: Any, outcome: str) -> None:
        state = self._state(trial)
        state.state = outcome
        if state.started:  # a unit may end before it began, where no process for it came to be
            state.seconds = time.monotonic() - state.started
        if not self._live:
            name = name_of(trial)
            self._console.print(f"{name:<28} {outcome:<7} {state.seconds:6.1f} s  {_loss(state.metrics)}")

    def _table(self) -> Table:
        """What failed first, then the running units, those that wait, and what is done last."""
        order = {"failed": 0, "running": 1, "waiting": 2, "done": 3}
        rows = sorted(self._states.items(), key=lambda item: order[item[1].state])
        table = Table(title=self._title(), title_justify="left", box=None)
        for heading in ("unit", "state", "epoch", "", "loss", "held out", "time"):
            table.add_column(heading, justify="left" if heading in ("unit", "state", "") else "right")
        for name, state in rows[:_SHOWN_ROWS]:
            table.add_row(name, state.state, *_progress(state))
        if len(rows) > _SHOWN_ROWS:
            table.add_row(f"and {len(rows) - _SHOWN_ROWS:,} more")
        return table

    def _title(self) -> str:
        """How many units are in which state, since not all may have a row."""
        counts = Counter(state.state for state in self._states.values())
        others = [f"{counts[name]:,} {name}" for name in ("running", "failed") if counts[name]]
        return ", ".join([f"{counts['done']:,} of {len(self._states):,} units done", *others])


def _progress(state: _State) -> tuple[str, ProgressBar | str, str, str, str]:
    """Epoch, bar, training loss, held-out figure and time left of a unit."""
    metrics = state.metrics
    if "epoch" not in metrics:
        return "", "", "", "", f"{state.seconds:.0f} s" if state.state == "done" else ""
    epoch, total = metrics["epoch"], metrics["num_epochs"]
    left = (total - epoch) * metrics["seconds"]
    if state.state == "running":
        remaining = f"{left:.0f} s left" if epoch < total else "rating"
    else:
        remaining = f"{state.seconds:.0f} s"
    bar = ProgressBar(total=total, completed=epoch, width=16)
    return f"{epoch}/{total}", bar, f"{metrics['train_loss']:.4f}", _loss(metrics), remaining


def _loss(metrics: dict[str, Any]) -> str:
    """The held-out figure that the unit reports."""
    if FAILURE in metrics:
        return str(metrics[FAILURE])
    return next(
        (f"{name.removeprefix('held_out_')} {metrics[name]:.4f}" for name in _LOSSES if name in metrics), ""
    )
