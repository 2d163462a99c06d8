"""The units of a search's ratings, whose features are there, to be run in other ways than a search runs them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import nasray
from nasray.methods.block_wise.declarations import RATINGS
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config


def prepared(name: str, root: Path, overrides: Sequence[str]) -> tuple[ExperimentConfig, list[Unit]]:
    """A config and the units of its ratings, after all that they need was computed.

    The teacher is left untrained, since that changes no time, and no network is trained for the evidence.

    Args:
        name: Of a shipped config, or a file.
        root: Where its run lies.
        overrides: What else to change.
    """
    places = [f"storage.root={root.absolute()}", "resources.address=local"]
    settings = ["teacher.train=null", "features.mode=cached", "retrain=null"]
    config = load_config(name, [*places, *settings, *overrides])
    nasray.search(config.model_dump(mode="json"), stages=["features"])
    folder = RunFolder.of(config)
    resolved, inputs = resolve(config, folder)
    return resolved, plan_search(resolved, folder, inputs)[RATINGS]


def forget(units: Sequence[Unit]) -> None:
    """Remove what the units left, so that they run anew."""
    for unit in units:
        shutil.rmtree(unit.spec.folder, ignore_errors=True)
