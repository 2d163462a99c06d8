"""The tables of ratings of a run whose search is finished, held to what its search leaves."""

import json
from pathlib import Path

import pandas as pd

from nasray.analysis.tables.ratings import load_ratings
from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import CANDIDATE, CELL, IN_CHANNELS
from nasray.search_spaces.artefacts.run_files import RunFiles

_WRITE_ANEW = "run the search again with the command that started it, which writes it anew"


def complete_tables(run: Path) -> list[pd.DataFrame]:
    """All ratings of a run whose search is finished: what it lacks might be the best.

    Raises:
        UserError: Something is missing.
    """
    expected = _expected_rows(run)
    missing = [name for name in expected if not (run / name).is_file()]
    if missing:
        raise UserError(
            f"{run} must have all its tables of ratings, but {len(missing)} of {len(expected)} are missing, the first "
            f"{missing[0]}: finish the search with the command that started it"
        )
    tables = load_ratings(run)
    rows = {
        str(RunFiles(run).table(block, str(cell)).relative_to(run)): int(number)
        for block, table in enumerate(tables)
        for cell, number in table[CELL].value_counts().items()
    }
    for name in sorted(rows.keys() | expected.keys()):
        if rows.get(name) != expected.get(name):
            raise UserError(
                f"{run}/{name} must have {expected.get(name, 0)} rows of ratings of its cell, got {rows.get(name, 0)}: "
                "remove the file and run the search again with the command that started it"
            )
    for block, table in enumerate(tables):
        numbers, num_widths = table[CANDIDATE].value_counts(), table[IN_CHANNELS].nunique()
        if (numbers != num_widths).any():
            raise UserError(
                f"{run}/ratings/block_{block} must have each candidate at each of the block's {num_widths} entry "
                f"widths, {numbers[numbers != num_widths].index[0]} is not: remove the block's tables and run the "
                "search again with the command that started it"
            )
    return tables


def _expected_rows(run: Path) -> dict[str, int]:
    """The tables of ratings that the run's search leaves, and how many rows each has.

    Raises:
        UserError: The folder is not a run's, or its search leaves none.
    """
    path = RunFiles(run).tables
    try:
        expected = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"RUN must be the folder of a run, with ratings/tables.json; {run} has none"
        ) from None
    except ValueError as error:
        raise UserError(f"{path} must be whole JSON ({error}): {_WRITE_ANEW}") from None
    if not isinstance(expected, dict) or not all(isinstance(rows, int) for rows in expected.values()):
        raise UserError(f"{path} must hold a number of rows per table: {_WRITE_ANEW}")
    if not expected:
        raise UserError(
            f"{run} must hold a search of the method dna, which rates all candidates; it has none"
        )
    return expected
