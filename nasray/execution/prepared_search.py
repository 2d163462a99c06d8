"""A search whose units are planned and may be run, alone or beside those of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import UnitInputs, UnitSpec


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search whose folder is its own and locked, and whose units are planned.

    Attributes:
        config: Its resolved config.
        folder: Its folder.
        inputs: What its units share.
        stages: Those that were asked for.
        units: All of its units.
        targets: Those whose results the stages need.
        later: Units like those that its evidence will run.
        tables: The tables of ratings that it will leave.
        tracker: Its runs in MLflow.
        started: When it was prepared, in seconds of the monotonic clock.
    """

    config: ExperimentConfig
    folder: RunFolder
    inputs: UnitInputs
    stages: Sequence[str]
    units: Sequence[Unit]
    targets: Sequence[Unit]
    later: Sequence[UnitSpec]
    tables: Sequence[Path]
    tracker: Tracker
    started: float
