"""Files of a run's folder: where each lies."""

from dataclasses import dataclass
from pathlib import Path

from nasray.search_spaces.artefacts.costs import Measurement

DONE = "done.json"
"""The marker that a unit is done, in the unit's folder."""


@dataclass(frozen=True)
class RunFiles:
    """Paths below a run's folder.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config; its presence makes the folder a run's."""
        return self.path / "config.yaml"

    @property
    def origins(self) -> Path:
        """What the run was computed from beside its config."""
        return self.path / "origins.json"

    @property
    def environment(self) -> Path:
        """Versions, commit and machine of the last launch."""
        return self.path / "environment.json"

    @property
    def teacher(self) -> Path:
        """The teacher's weights and description."""
        return self.path / "teacher"

    @property
    def ratings(self) -> Path:
        """Folder of the tables of ratings."""
        return self.path / "ratings"

    @property
    def ranking(self) -> Path:
        """The table of the best architectures."""
        return self.path / "ranking.parquet"

    @property
    def certificate(self) -> Path:
        """What is proved of the ranking, and what it was made from."""
        return self.path / "ranking.json"

    @property
    def found(self) -> Path:
        """What a search found that names one architecture."""
        return self.path / "found.parquet"

    @property
    def comparison(self) -> Path:
        """What each search of a comparison found, and what that is worth."""
        return self.path / "comparison.parquet"

    @property
    def comparison_networks(self) -> Path:
        """The networks that judge a comparison, with the scores that each search gives them."""
        return self.path / "comparison_networks.parquet"

    @property
    def parts(self) -> Path:
        """The names of the searches that the run is made of, each in a folder of that name; of one search: none."""
        return self.path / "parts.json"

    @property
    def generations(self) -> Path:
        """What each generation of a search gave."""
        return self.path / "generations.parquet"

    @property
    def generations_figures(self) -> Path:
        """Which generation is the best, and why there was none after the last."""
        return self.path / "generations.json"

    @property
    def agreement(self) -> Path:
        """The networks that were trained for real, with their scores and accuracies."""
        return self.path / "agreement.parquet"

    @property
    def agreement_figures(self) -> Path:
        """How far the ranking agrees with them."""
        return self.path / "agreement.json"

    @property
    def calibration(self) -> Path:
        """The weights of blocks that these networks give, and whether they help."""
        return self.path / "calibration.json"

    @property
    def additivity(self) -> Path:
        """What blocks swapped into the teacher together do, beside the sum of what each does."""
        return self.path / "additivity.parquet"

    @property
    def additivity_figures(self) -> Path:
        """How far these agree."""
        return self.path / "additivity.json"

    @property
    def tables(self) -> Path:
        """Which tables of ratings belong to the run, with how many rows; written before they are."""
        return self.ratings / "tables.json"

    @property
    def chosen(self) -> Path:
        """Which architectures were chosen by hand to stand in the evidence."""
        return self.path / "chosen.json"

    @property
    def baselines(self) -> Path:
        """What other strategies chose at equal cost."""
        return self.path / "baselines.parquet"

    @property
    def baseline_trainings(self) -> Path:
        """Each of their trainings."""
        return self.path / "baselines_trainings.parquet"

    @property
    def teacher_description(self) -> Path:
        """The teacher's cuts, shapes, accuracy and size."""
        return self.teacher / "teacher.json"

    @property
    def units(self) -> Path:
        """Folder of the units of work."""
        return self.path / "units"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def tune(self) -> Path:
        """Ray Tune's storage."""
        return self.path / "tune"

    def unit(self, name: str) -> Path:
        """The folder of a unit of work."""
        return self.units / name

    @property
    def retrainings(self) -> Path:
        """Folder of the units that train a network for real."""
        return self.unit("retrain")

    def measured(self, measurement: Measurement) -> Path:
        """Folder of the tables of a measured cost."""
        return self.path / measurement.folder

    def measured_figures(self, measurement: Measurement) -> Path:
        """How a cost was measured; written last, since without it the tables may be of two measurements."""
        return self.measured(measurement) / measurement.figures

    def measured_table(self, measurement: Measurement, block: int, cell: str) -> Path:
        """A cell's table of a measured cost."""
        return self.measured(measurement) / f"block_{block}" / f"{cell}.parquet"

    def table(self, block: int, cell: str) -> Path:
        """A cell's table of ratings."""
        return self.ratings / f"block_{block}" / f"{cell}.parquet"
