"""What says of architectures how good they are: the searches of a comparison, and trivial measures beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nasray.search_spaces.artefacts.columns import DEPTH, NUM_MACS, NUM_PARAMS, RATING, TRIVIAL
from nasray.search_spaces.artefacts.run_files import DONE
from nasray.search_spaces.chain.space import SearchSpace
from nasray.trainables.core.trainable import read_done


@dataclass(frozen=True, slots=True)
class Rater:
    """What says of all architectures how good they are.

    Attributes:
        arm: Name of the arm, or of the trivial measure.
        tables: A table per block, as of ratings: an architecture's score is the sum, lower is better.
        seed: Of the search; None: it does not depend on one.
        column: The name of its scores in a table of networks.
    """

    arm: str
    tables: Sequence[pd.DataFrame]
    seed: int | None
    column: str


def trivial_raters(space: SearchSpace) -> list[Rater]:
    """What takes the more parameters, multiply-accumulates or layers for the better, of equally many the more MACs."""
    tables = space.candidate_tables()
    most_macs = sum(float(table[NUM_MACS].max()) for table in tables)
    measures = (
        [-table[NUM_PARAMS].astype(float) for table in tables],
        [-table[NUM_MACS].astype(float) for table in tables],
        [-table[DEPTH] - table[NUM_MACS] / (1 + most_macs) for table in tables],
    )
    return [
        Rater(
            name,
            [table.assign(**{RATING: rating}) for table, rating in zip(tables, ratings, strict=True)],
            None,
            name,
        )
        for name, ratings in zip(TRIVIAL, measures, strict=True)
    ]


def cpu_seconds(folder: Path) -> float:
    """CPU time of all units that are done below a folder, see `nasray.trainables.units.run_unit`.

    Features that another run left in the cache took nothing here.
    """
    markers = (read_done(path.parent) for path in sorted(folder.rglob(DONE)))
    return sum(float(marker.get("cpu_seconds", 0.0)) for marker in markers if marker is not None)
