"""Tables of a cost that is measured on a finished run, as they are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nasray.search_spaces.artefacts.columns import CANDIDATE, CELL, IN_CHANNELS
from nasray.search_spaces.artefacts.costs import CostKind
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.artefacts.summed_columns import summed_metadata
from nasray.search_spaces.files.atomic_file import replacing, write_json


def write_measured(
    run: Path, cost: CostKind, tables: Sequence[pd.DataFrame], figures: Mapping[str, Any]
) -> None:
    """Leave a measurement in a run's folder; an earlier one is replaced as a whole.

    Args:
        run: The folder.
        cost: What was measured.
        tables: Per block the columns `candidate`, `cell`, `in_channels`, and that of the cost.
        figures: How it was measured; they are there only while the tables are all of one measurement.
    """
    assert cost.measurement is not None
    files = RunFiles(run)
    marker = files.measured_figures(cost.measurement)
    marker.unlink(missing_ok=True)
    for block, table in enumerate(tables):
        for cell, rows in table.groupby(CELL):
            frame = rows[[CANDIDATE, IN_CHANNELS, cost.name]]
            written = pa.Table.from_pandas(frame, preserve_index=False)
            written = written.replace_schema_metadata(
                {**(written.schema.metadata or {}), **summed_metadata([cost.name])}
            )
            with replacing(files.measured_table(cost.measurement, block, str(cell))) as temporary:
                pq.write_table(written, temporary)
    write_json(marker, dict(figures))
