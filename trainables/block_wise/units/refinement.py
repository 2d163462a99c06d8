"""The unit that rates some candidates of a trained cell on further held-out batches."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Literal

from pydantic import Field

from nasray.search_spaces.architecture import Candidate
from nasray.trainables.block_wise.left_out import left_out_in
from nasray.trainables.block_wise.units.cell import (
    CellSpec,
    build_data,
    build_rater,
    load_supernet,
    write_ratings,
)
from nasray.trainables.core.trainable import Metrics


class RefinementSpec(CellSpec):
    """Rate candidates on held-out batches that they were not rated on before.

    Attributes:
        candidates: The width at which each is entered, and its text.
        first_batch: Number of the first batch, from 0.
        end_batch: Number of the batch behind the last one.
    """

    kind: Literal["refinement"] = "refinement"
    candidates: tuple[tuple[int, str], ...] = Field(min_length=1)
    first_batch: int
    end_batch: int

    def run(self) -> Iterator[Metrics]:
        """See `run_refinement`."""
        return run_refinement(self)

    @property
    def reads_features_of(self) -> int:
        """The cell's block."""
        return self.target.block

    @property
    def outputs(self) -> tuple[FilePath, ...]:
        """A table of ratings of these candidates on these batches."""
        return (self.folder / "ratings.parquet",)


def run_refinement(spec: RefinementSpec) -> Iterator[Metrics]:
    """Rate the candidates; leaves a table of their ratings on these batches alone."""
    inputs, target = spec.inputs, spec.target
    supernet = load_supernet(inputs, target)
    supernet.leave_out(left_out_in(spec.folder))
    rater = build_rater(inputs, target, supernet, build_data(inputs, target.block))
    paths = [supernet.path(width, Candidate.parse(text).operations) for width, text in spec.candidates]
    ratings = rater.rate(paths, range(spec.first_batch, spec.end_batch))
    (table,) = spec.outputs
    write_ratings(inputs, target, supernet, ratings, table)
    yield {"num_rated": len(ratings), "num_evaluations": rater.walk.num_evaluations}
