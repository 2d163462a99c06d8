"""A member of a family study with a seed, as a search of its own: its config, and what it says of architectures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nasray import analysis
from nasray.analysis.runs.rank import ranked_tables
from nasray.analysis.studies.family import TRIVIAL
from nasray.pipeline.nested import nested_config
from nasray.planning.sd_darts_plan import SD_DARTS
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import CANDIDATE, DEPTH, NUM_MACS, NUM_PARAMS, RATING
from nasray.search_spaces.chain.space import SearchSpace
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.family import member_settings
from nasray.trainables.core.trainable import DONE, read_done
from nasray.trainables.sd_darts.supernets.chain_supernet import shortfalls
from nasray.trainables.sd_darts.trainable import Found


@dataclass(frozen=True, slots=True)
class Rater:
    """What says of all architectures how good they are.

    Attributes:
        method: Name of the member, or of the trivial measure.
        tables: A table per block, as of ratings: an architecture's score is the sum, lower is better.
        seed: Of the search; None: it does not depend on one.
        cpu_seconds: What the search took; 0 where there was none.
    """

    method: str
    tables: Sequence[pd.DataFrame]
    seed: int | None = None
    cpu_seconds: float = 0.0

    @property
    def column(self) -> str:
        """The name of its scores in a table of networks."""
        return self.method if self.seed is None else f"{self.method}_seed_{self.seed}"


def member_config(config: ExperimentConfig, name: str, seed: int) -> ExperimentConfig:
    """The config of a member with a seed, in the folder `<name>_seed_<seed>` below the study's."""
    plain = member_settings(config.model_dump(mode="json"), name) | {"seed": seed}
    return nested_config(config, plain, f"{name}_seed_{seed}", {"family": config.name, "member": name})


def member_rater(name: str, seed: int, folder: Path, space: SearchSpace) -> Rater:
    """What a finished member says: the ratings by which it ranks, of several generations those of the best.

    SD-DARTS rates no architecture but one. Our reading of its alphas: a choice is as bad as the logarithm of its weight
    falls short of that of the strongest at its place, so that what the search found has the score 0, the best of all,
    and within budgets there is a best one, too.

    Args:
        name: The member's name.
        seed: Its seed.
        folder: Its run's folder.
        space: The space.
    """
    run = analysis.load_run(folder)
    if run.generations_figures is not None:
        run = run.generation_runs[run.generations_figures["best_generation"] - 1]
    if run.ranking is not None:
        tables = ranked_tables(run.path, run.config["ranking"]["by"])
    else:
        found = shortfalls(space, Found.read(RunFolder(folder).unit(SD_DARTS)).weights)
        tables = [
            table.assign(**{RATING: table[CANDIDATE].map(of_block)})
            for table, of_block in zip(space.candidate_tables(), found, strict=True)
        ]
    return Rater(name, tables, seed, cpu_seconds(folder))


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
        Rater(name, [table.assign(**{RATING: rating}) for table, rating in zip(tables, ratings, strict=True)])
        for name, ratings in zip(TRIVIAL, measures, strict=True)
    ]


def cpu_seconds(folder: Path) -> float:
    """CPU time of all units that are done below a folder, see `nasray.trainables.units.run_unit`.

    Features that another run left in the cache took nothing here.
    """
    markers = (read_done(path.parent) for path in sorted(folder.rglob(DONE)))
    return sum(float(marker.get("cpu_seconds", 0.0)) for marker in markers if marker is not None)
