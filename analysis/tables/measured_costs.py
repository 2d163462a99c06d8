"""Costs that were measured on a finished run, joined to its tables of ratings."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import CANDIDATE, IN_CHANNELS
from nasray.search_spaces.artefacts.costs import CostKind, Measurement, measured_costs
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.artefacts.summed_columns import check_summed
from nasray.search_spaces.files.json_file import read_object


def is_measured(folder: Path, measurement: Measurement) -> bool:
    """Whether a whole measurement of a cost is in a run's folder; a part of one counts as none.

    Raises:
        UserError: The file that says so is damaged.
    """
    again = f"measure anew by `nasray {measurement.command} {shlex.quote(str(folder))}`"
    path = RunFiles(Path(folder)).measured_figures(measurement)
    return read_object(path, *measurement.figure_keys, again=again) is not None


def check_budgets_known(folder: Path, budgets: Mapping[str, float]) -> None:
    """Refuse a budget of a cost that is to be measured where it is not.

    Raises:
        UserError: There is such a budget and no measurement.
    """
    for cost, measurement in measured_costs().items():
        if cost.name in budgets and not is_measured(folder, measurement):
            raise UserError(
                f"a budget of {cost.name} needs {measurement.many}, {folder} has none: measure them first, by "
                f"`nasray {measurement.command} {shlex.quote(str(folder))}`"
            )


def with_measured_costs(table: pd.DataFrame, folder: Path, block: int) -> pd.DataFrame:
    """A block's table of ratings with each measured cost of each row, of those that are measured.

    Raises:
        UserError: A file is damaged or of another block, or a candidate has no value where others have.
    """
    for cost, measurement in measured_costs().items():
        if is_measured(folder, measurement):
            table = _Measured(folder, block, cost, measurement).joined_to(table)
    return table


class _Measured:
    """A measured cost of a block's candidates."""

    def __init__(self, folder: Path, block: int, cost: CostKind, measurement: Measurement) -> None:
        place = RunFiles(folder).measured(measurement)
        self._place, self._cost, self._measurement = place / f"block_{block}", cost, measurement
        self._again = (
            f"measure anew by `nasray {measurement.command} {shlex.quote(str(folder))}`, or remove {place}"
        )

    def joined_to(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the cost of each row."""
        one, name = self._measurement.one, self._cost.name
        values = self._read()
        if values.duplicated([CANDIDATE, IN_CHANNELS]).any():
            raise UserError(
                f"{self._place} must hold one {one} of a candidate, it holds several; {self._again}"
            )
        self._check(values)
        joined = table.merge(values, "left", [CANDIDATE, IN_CHANNELS])
        missing = joined.loc[joined[name].isna(), CANDIDATE]
        if len(missing):
            raise UserError(
                f"{self._place} must hold the {one} of every candidate, it lacks {len(missing)} of {len(joined)}, the "
                f"first {missing.iloc[0]}; {self._again}"
            )
        return joined

    def _read(self) -> pd.DataFrame:
        """The values of all cells, a row per candidate and entry width."""
        try:
            parts = [pq.read_table(path, partitioning=None) for path in sorted(self._place.glob("*.parquet"))]
            for part in parts:
                check_summed(part.schema.metadata)
            return pd.concat([part.to_pandas() for part in parts])[[CANDIDATE, IN_CHANNELS, self._cost.name]]
        except (OSError, ValueError, KeyError) as error:  # Arrow's errors are ValueErrors
            raise UserError(
                f"{self._place} must hold the {self._measurement.many} of a block: {error}; {self._again}"
            ) from error

    def _check(self, values: pd.DataFrame) -> None:
        """Refuse what is no finite number from 0 on."""
        column = values[self._cost.name]
        numbers = pd.api.types.is_float_dtype(column.dtype) or pd.api.types.is_integer_dtype(column.dtype)
        faulty = values[~(column.ge(0) & column.lt(np.inf))] if numbers else values
        if len(faulty):
            first = faulty.iloc[0]
            raise UserError(
                f"{self._place} must hold a finite number of {self._cost.unit} from 0 on for each candidate, for "
                f"{first[CANDIDATE]} it holds {first[self._cost.name]!r}; {self._again}"
            )
