"""Histories of a run's finished units: what each reported, and how long it took."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nasray.search_spaces.artefacts.run_files import DONE, RunFiles
from nasray.search_spaces.files.json_file import read_object

CURVE_COLUMNS = ("unit", "kind", "epoch", "metric", "value")
History = tuple[str, list[dict[str, Any]]]
"""A unit's name, and what it reported, in order."""


def read_histories(files: RunFiles) -> list[History]:
    """Each finished unit's name with its reports."""
    paths = [files.teacher / DONE, *sorted(files.units.rglob(DONE))]
    markers = [(path, read_object(path, "history")) for path in paths]
    return [(unit_name(files.path, path), marker["history"]) for path, marker in markers if marker]


def curves(histories: Sequence[History]) -> pd.DataFrame | None:
    """A row per figure: see `Run.curves`."""
    rows = [row for unit, history in histories for row in _curve(unit, history)]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS)) if rows else None


def times(histories: Sequence[History]) -> pd.DataFrame | None:
    """A row per unit: see `Run.times`."""
    rows = [
        {
            "unit": unit,
            "kind": unit_kind(unit),
            "num_epochs": sum("epoch" in metrics for metrics in history),
            "seconds": sum(metrics.get("seconds", 0.0) for metrics in history) or float("nan"),
        }
        for unit, history in histories
    ]
    return pd.DataFrame(rows) if rows else None


def unit_kind(unit: str) -> str:
    """What a unit of this name does: teacher, features, block, rating, sd_darts, retrain, and so on."""
    first, *rest = unit.split("/")
    if first.startswith("block_"):
        return "rating" if "rating" in rest else "block"
    return first


def _curve(unit: str, history: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, int, str, float]]:
    kind, epoch = unit_kind(unit), 0
    for metrics in history:
        epoch = metrics.get("epoch", epoch)
        for name, value in metrics.items():
            if isinstance(value, float):
                yield unit, kind, epoch, name, value


def unit_name(run: Path, path: Path) -> str:
    """Name of the unit that left the file at `path`."""
    parts = path.parent.relative_to(run).parts
    return "/".join(parts[1:] if parts[0] == "units" else parts)
