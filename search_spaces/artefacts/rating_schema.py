"""The schema of a table of ratings: its columns and types, and what brings a table to it."""

from collections.abc import Sequence

import pyarrow as pa

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import (
    CANDIDATE,
    CELL,
    DEPTH,
    FAILURE,
    IN_CHANNELS,
    OPERATIONS,
    OUT_CHANNELS,
    RATING,
    RATING_BATCHES,
    RATING_SEEDS,
    UNCOUNTED,
    WIDTH,
)
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.artefacts.criteria import further_ratings, ratings


def schema() -> pa.Schema:
    """The columns with their types, in order: what a candidate is, its ratings, its counted costs, what fails."""
    further = [
        field
        for rating in further_ratings()
        for field in (
            pa.field(rating.column, pa.float64()),
            pa.field(rating.batches, pa.list_(pa.float64())),
        )
    ]
    costs = [
        pa.field(cost.name, pa.int64() if cost.whole else pa.float64(), nullable=cost.is_late)
        for cost in counted_costs()
    ]
    return pa.schema(
        [
            pa.field(CANDIDATE, pa.string(), nullable=False),
            pa.field(CELL, pa.string(), nullable=False),
            pa.field(DEPTH, pa.int64(), nullable=False),
            pa.field(WIDTH, pa.int64(), nullable=False),
            pa.field(OPERATIONS, pa.string(), nullable=False),
            pa.field(IN_CHANNELS, pa.int64(), nullable=False),
            pa.field(OUT_CHANNELS, pa.int64(), nullable=False),
            pa.field(RATING, pa.float64()),
            pa.field(RATING_BATCHES, pa.list_(pa.float64())),
            pa.field(RATING_SEEDS, pa.list_(pa.float64())),
            *further,
            *costs,
            pa.field(UNCOUNTED, pa.string()),
            pa.field(FAILURE, pa.string()),
        ]
    )


def optional_columns() -> list[str]:
    """The columns that a table may lack."""
    further = [name for rating in further_ratings() for name in (rating.column, rating.batches)]
    return [UNCOUNTED, RATING_SEEDS, *further, *(cost.name for cost in counted_costs() if cost.is_late)]


def summed_columns() -> list[str]:
    """The columns that add up along an architecture."""
    return [*(rating.column for rating in ratings()), *(cost.name for cost in counted_costs())]


def with_optional(table: pa.Table) -> pa.Table:
    """The table with nulls for the optional columns that it lacks, which came with later versions."""
    optional = optional_columns()
    for place, field in enumerate(schema()):
        if field.name in optional and field.name not in table.column_names:
            table = table.add_column(place, field, pa.nulls(len(table), field.type))
    return table


def of_schema(table: pa.Table) -> pa.Table:
    """The table as it is written, whatever it was edited with.

    Raises:
        UserError: If a column is missing, unknown or of another type, or a value is missing.
    """
    check_names(table.column_names)
    columns, expected = [], schema()
    for field in expected:
        column = table.column(field.name)
        # What else writes parquet has wider texts, and a type of its own for columns of nulls.
        is_text = pa.types.is_large_string(column.type) and pa.types.is_string(field.type)
        if is_text or pa.types.is_null(column.type):
            column = column.cast(field.type)
        if column.type != field.type:
            raise UserError(
                f"{field.name} must hold {field.type}, it holds {column.type}{_first_value(column)}"
            )
        if column.null_count and not field.nullable:
            row = column.is_null().index(True).as_py()
            raise UserError(f"each row must have a {field.name}, row {row}, counted from 0, has none")
        columns.append(column)
    return pa.table(columns, schema=expected)


def _first_value(column: pa.ChunkedArray) -> str:
    """The first value of a column and its row, to be told."""
    known = column.is_valid().index(True).as_py()
    return "" if known < 0 else f", as in row {known}, counted from 0: {column[known].as_py()!r}"


def check_names(names: Sequence[str]) -> None:
    """Refuse other columns than those of a table of ratings.

    Raises:
        UserError: One is missing, unknown or there twice.
    """
    known, optional = schema().names, optional_columns()
    missing = [name for name in known if name not in names and name not in optional]
    unknown = [str(name) for name in names if name not in known]
    repeated = sorted({name for name in names if names.count(name) > 1} - set(unknown))
    if missing or unknown or repeated:
        raise UserError(
            f"a table of ratings must have the columns {', '.join(known)};"
            f" missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'};"
            f" more than once: {', '.join(repeated) or 'none'}"
        )
