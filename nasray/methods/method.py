"""A method of search as an object: all that planning, running and showing a search asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nasray.settings.methods import Declaration, load_method

if TYPE_CHECKING:  # only names of types, so that a declaration needs neither Ray nor torch
    from pathlib import Path

    import pandas as pd
    from rich.console import Console

    from nasray.run.folder import RunFolder
    from nasray.scheduling.unit import Unit
    from nasray.settings.experiment import ExperimentConfig
    from nasray.trainables.block_wise.units.cell_target import CellTarget
    from nasray.trainables.cutting.cutting import CutTeacher
    from nasray.trainables.inputs import SearchInputs, UnitInputs
    from nasray.trainables.settings.method import MethodSettings


@dataclass(frozen=True, slots=True)
class Find:
    """The architecture that a search names as its result.

    Attributes:
        architecture: Its ID in a chain space, or a genotype's text.
        num_params: Its parameters.
        num_macs: Its multiply-accumulates for one image.
        epoch: After which epoch, from 1, it was found; None where that says nothing.
    """

    architecture: str
    num_params: int
    num_macs: int
    epoch: int | None = None


class Method:
    """A method of search; what one has nothing to say to is as it stands here.

    A subclass sets `declaration` and gives `units`. One that `ranks` leaves a table of ratings (see
    `nasray.search_spaces.artefacts.rating_table`) for each cell and says so in `tables`; one that `finds` gives `found`
    an answer. `search` is always its settings, of the class that its declaration names.
    """

    declaration: ClassVar[Declaration]

    def adjusted(self, search: Any, config: ExperimentConfig) -> ExperimentConfig:
        """The config with what follows from the settings, before data or teacher are opened."""
        return config

    def check(self, search: Any, config: ExperimentConfig, inputs: Any) -> None:
        """Hold the settings to data, teacher and space, before anything is trained.

        Raises:
            UserError: They do not fit.
        """

    def check_teacher(self, search: Any, config: ExperimentConfig, teacher: CutTeacher) -> None:
        """Hold the settings to the teacher, of a config that has one, before anything is trained.

        Raises:
            UserError: They do not fit.
        """

    def num_passes(self, search: Any) -> int:
        """How often the search reads the teacher's features, by which it is decided whether these are cached."""
        return 1

    def units(self, search: Any, folder: RunFolder, inputs: Any) -> Mapping[str, list[Unit]]:
        """The units of work of each of the declared stages; the teacher's and its features' are planned for it."""
        return {}

    def tables(self, search: Any, folder: RunFolder, inputs: Any) -> Mapping[Path, int]:
        """The tables of ratings that the search leaves, and how many rows each has."""
        return {}

    def cells(self, search: Any, folder: RunFolder, inputs: SearchInputs) -> tuple[CellTarget, ...]:
        """Every cell of every block with its trained supernet, where the method trains cells."""
        return ()

    def found(self, folder: RunFolder) -> Find:
        """What the search in a run's folder found, where the method finds one architecture.

        Raises:
            FileNotFoundError: It is not finished.
        """
        raise NotImplementedError

    def scores(
        self, config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs
    ) -> Sequence[pd.DataFrame] | None:
        """What a finished search says of all architectures: a table per block, of whose `rating` a score is the sum.

        Lower is better. None: it says nothing of most. Of a method that ranks these are what it ranks by.
        """
        if not self.declaration.ranks:
            return None
        from nasray.analysis.runs.rank import ranked_tables  # noqa: PLC0415  (a declaration is read without pandas)

        return ranked_tables(folder.path, config.ranking.by)

    def figures(self, folder: RunFolder) -> Mapping[str, float]:
        """What was measured of a finished search beside what it found, to compare searches by."""
        return {}

    def work(
        self, search: Any, config: ExperimentConfig, folder: RunFolder, inputs: Any
    ) -> Mapping[str, float]:
        """Estimated multiply-accumulates of a finished search that ranks, by what they are for."""
        return {}

    def run_searches(
        self, search: Any, config: ExperimentConfig, console: Console, run: Callable[..., Any]
    ) -> Any:
        """The result of a method that runs whole searches.

        Args:
            search: The method's settings.
            config: The whole config.
            console: Where to show what runs.
            run: Runs one search: `nasray.pipeline.stages.search_in_stages`.
        """
        raise NotImplementedError

    def first_search(self, search: Any, config: ExperimentConfig) -> tuple[ExperimentConfig, str]:
        """Of a method that runs whole searches the config of the first, and what follows it, in a sentence."""
        raise NotImplementedError

    def print_result(self, search: Any, folder: RunFolder, console: Console) -> None:
        """Print what the method shows of its own of a finished run, beside the ranking and what was found."""


def methods_of(config: ExperimentConfig) -> tuple[tuple[MethodSettings, Method], ...]:
    """The searches of a config, each with its method."""
    return tuple((search, load_method(search.method)) for search in config.searches)


def trained_cells(
    config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs
) -> tuple[CellTarget, ...]:
    """Every cell of every block with its trained supernet, of a config with a search that trains them."""
    search, method = next(pair for pair in methods_of(config) if pair[1].declaration.trains_cells)
    return method.cells(search, folder, inputs)


def ranking_method(config: ExperimentConfig) -> tuple[MethodSettings, Method]:
    """The search that rates all candidates, of a config that has one."""
    return next(pair for pair in methods_of(config) if pair[1].declaration.ranks)
