"""A run's folder as pandas frames, read when they are asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from nasray.analysis.counting.coverage import NUM_LEFT_OUT, Coverage, cover
from nasray.analysis.runs.complete_tables import complete_tables
from nasray.analysis.runs.histories import History, curves, read_histories, times, unit_name
from nasray.analysis.tables.criterion import tables_by
from nasray.analysis.trust.calibration import read_calibration
from nasray.errors import UserError
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.criteria import BY_SCORE
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.files.json_file import damaged, read_object
from nasray.search_spaces.files.plain_yaml import parse_yaml


@dataclass(frozen=True)
class Run:
    """What a run left in its folder; a part that it has not, or not yet, is None.

    Attributes:
        path: The run's folder.
    """

    path: Path

    @property
    def files(self) -> RunFiles:
        """Where its files lie."""
        return RunFiles(self.path)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config."""
        path = self.files.config
        try:
            return parse_yaml(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise damaged(path, str(error)) from error

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.config["name"])

    @property
    def space(self) -> str:
        """Name of the search space; of a comparison all of them, joined by commas."""
        comparison = self.config.get("comparison") or {}
        return ", ".join(comparison.get("spaces") or {}) or str(self.config["search_space"]["source"])

    @property
    def data(self) -> str:
        """Name of the data."""
        return str(self.config["data"]["source"])

    @cached_property
    def environment(self) -> dict[str, Any] | None:
        """Commit, seed, versions and machine of the last launch that made results."""
        return read_object(self.files.environment)

    @cached_property
    def teacher(self) -> dict[str, Any] | None:
        """The teacher's cuts, feature shapes, held-out accuracy (0 to 1) and number of parameters."""
        return read_object(self.files.teacher_description)

    @cached_property
    def ranking(self) -> pd.DataFrame | None:
        """The best architectures, best first: rank, architecture, score (lower is better), costs, and so on."""
        return _read_parquet(self.files.ranking)

    @cached_property
    def certificate(self) -> dict[str, Any] | None:
        """What is proved of the ranking, with numbers of architectures as texts, since they may be of any size."""
        return read_object(self.files.certificate, "proved", "gap", "num_feasible")

    @cached_property
    def tables(self) -> list[pd.DataFrame] | None:
        """A table per block, its ratings those that the run is ranked by; None until all cells are rated."""
        expected = read_object(self.files.tables)
        if not expected or not all((self.path / name).is_file() for name in expected):
            return None
        return tables_by(self.config.get("ranking", {}).get("by", BY_SCORE), complete_tables(self.path))

    @cached_property
    def coverage(self) -> Coverage | None:
        """Of which architectures within the budgets the ranking speaks; None where that is not known."""
        if self.certificate is not None and NUM_LEFT_OUT in self.certificate:
            return Coverage.read(self.certificate)
        # Rankings of earlier versions do not say what they leave out.
        tables = None if self.ranking is None else self.tables
        return None if tables is None else cover(tables, self.config["budgets"])

    @cached_property
    def space_coverage(self) -> Coverage | None:
        """Which of all architectures have a score, whatever the budgets; None without all ratings."""
        return None if self.tables is None else cover(self.tables)

    @cached_property
    def ratings(self) -> pd.DataFrame | None:
        """All ratings that are there, one frame with the column `block` before those of a table of ratings."""
        found = [
            rating_table.read(path).assign(block=int(path.parent.name.removeprefix("block_")))
            for path in sorted(self.files.ratings.glob("block_*/*.parquet"))
        ]
        if not found:
            return None
        frame = pd.concat(found).sort_values("block", kind="stable", ignore_index=True)
        return frame[["block", *frame.columns.drop("block")]]

    @cached_property
    def num_architectures(self) -> int | None:
        """How many architectures the space has, whatever the budgets; None without all ratings."""
        for part in self.parts:
            if part.num_architectures is not None:
                return part.num_architectures
        covered = self.space_coverage
        return (
            None if covered is None else covered.ranked.lower + covered.left_out.lower
        )  # exact without budgets

    @cached_property
    def found(self) -> pd.DataFrame | None:
        """What a search found that names one architecture; with its score and place, where all are ranked."""
        return _read_parquet(self.files.found)

    @cached_property
    def retrained(self) -> pd.DataFrame | None:
        """A row per training of a network for real: unit, architecture, test_accuracy (0 to 1), and so on.

        `way` is the same where networks were trained in the same way, but for the training seed.
        """
        paths = sorted(self.files.retrainings.rglob("retrained.json"))
        rows = [
            {
                "unit": unit_name(self.path, path),
                "way": _way(path.parent),
                **(read_object(path, "architecture") or {}),
            }
            for path in paths
        ]
        return pd.DataFrame(rows) if rows else None

    @cached_property
    def retrained_alike(self) -> pd.DataFrame | None:
        """Those trainings whose accuracies may be compared: in the evidence's way, else in that of most."""
        if self.retrained is None:
            return None
        rows = self.retrained
        if self.agreement is not None and rows["architecture"].isin(self.agreement["architecture"]).any():
            rows = rows[rows["architecture"].isin(self.agreement["architecture"])]
        return self.retrained[self.retrained["way"] == rows["way"].mode().iloc[0]]

    @cached_property
    def agreement(self) -> pd.DataFrame | None:
        """A row per network that was trained for real: its scores, costs and accuracies (0 to 1)."""
        return _read_parquet(self.files.agreement)

    @cached_property
    def agreement_figures(self) -> dict[str, Any] | None:
        """How far each predictor agrees with the accuracies: what `nasray.analysis.trust.agreement.agreement` gives."""
        return read_object(
            self.files.agreement_figures,
            "num_networks",
            "predictors",
            "noise_ceiling",
            "verdict",
            or_null=True,
        )

    @cached_property
    def calibration(self) -> dict[str, Any] | None:
        """The weights of blocks that these networks give, and whether they help; see `Calibration`."""
        return read_calibration(self.path)

    @cached_property
    def baselines(self) -> pd.DataFrame | None:
        """What other strategies chose at equal cost, a row per strategy."""
        return _read_parquet(self.files.baselines)

    @cached_property
    def baseline_trainings(self) -> pd.DataFrame | None:
        """The trainings of these strategies in the order in which they asked for them, with the best so far."""
        return _read_parquet(self.files.baseline_trainings)

    @cached_property
    def additivity(self) -> pd.DataFrame | None:
        """A row per set of blocks swapped into the teacher: what they do `together`, `alone`, and the `alone_sum`."""
        return _read_parquet(self.files.additivity)

    @cached_property
    def additivity_figures(self) -> dict[str, Any] | None:
        """How far sum and together agree, by blocks such as "0+2": what `additivity` gives."""
        return read_object(self.files.additivity_figures, again="run `nasray additivity` again") or None

    @cached_property
    def parts(self) -> "list[Run]":
        """The searches that the run is made of, as far as they lie below its folder; of one search there are none."""
        names = (read_object(self.files.parts, "parts") or {}).get("parts", [])
        return [Run(self.path / name) for name in names if RunFiles(self.path / name).config.is_file()]

    @cached_property
    def comparison(self) -> pd.DataFrame | None:
        """A row per space, arm and seed of a comparison: what was found, what that is worth, what was measured."""
        return _read_parquet(self.files.comparison)

    @cached_property
    def comparison_networks(self) -> pd.DataFrame | None:
        """The networks that judge a comparison: accuracies (0 to 1), and the scores that each search gives them."""
        return _read_parquet(self.files.comparison_networks)

    @cached_property
    def generations(self) -> pd.DataFrame | None:
        """A row per generation of a search in generations: its teacher, agreement, best architecture, what changed."""
        return _read_parquet(self.files.generations)

    @cached_property
    def generations_figures(self) -> dict[str, Any] | None:
        """Which generation is the best, and why there was none after the last."""
        return read_object(self.files.generations_figures, "best_generation", "ended_by")

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """What each finished unit reported: unit, kind, epoch (from 1 on), metric, value.

        Figures that belong to no epoch stand at the last one, or at 0 where there is none.
        """
        return curves(self._histories)

    @cached_property
    def times(self) -> pd.DataFrame | None:
        """A row per finished unit: unit, kind, num_epochs, seconds of its epochs (NaN if it has none)."""
        return times(self._histories)

    @cached_property
    def _histories(self) -> list[History]:
        """Each finished unit's name with its reports."""
        return read_histories(self.files)


def load_run(path: str | Path) -> Run:
    """The run in a folder.

    Raises:
        UserError: If the folder is not a run's.
    """
    folder = Path(path)
    if not RunFiles(folder).config.is_file():
        raise UserError(
            f"path must be the folder of a run, with a config.yaml; {folder} has none: give a folder like runs/digits"
        )
    return Run(folder)


def _way(folder: Path) -> str:
    """How the network in a unit's folder was trained: `seed_0`, or `<digest>_seed_0` where it is not the usual way."""
    return folder.name.rpartition("seed_")[0]


def _read_parquet(path: Path) -> pd.DataFrame | None:
    try:
        return pd.read_parquet(path) if path.is_file() else None
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise damaged(path, str(error)) from error
