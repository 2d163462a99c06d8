"""DNA+ as a method: it runs whole searches by DNA, each taught by what the one before found."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from rich.console import Console

from nasray import analysis
from nasray.analysis.runs.rank import ranked_tables
from nasray.methods.dna_plus import declaration
from nasray.methods.dna_plus.generation import generation_config
from nasray.methods.dna_plus.search import search_generations
from nasray.methods.dna_plus.settings import DnaPlusConfig
from nasray.methods.dna_plus.view import describe_next, print_generations
from nasray.methods.method import Method
from nasray.run.folder import RunFolder
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.inputs import UnitInputs


class DnaPlus(Method):
    """The search in generations."""

    declaration = declaration.DNA_PLUS

    def run_searches(
        self, search: DnaPlusConfig, config: ExperimentConfig, console: Console, run: Callable[..., Any]
    ) -> Any:
        """See `search_generations`."""
        return search_generations(search, config, console, run)

    def first_search(self, search: DnaPlusConfig, config: ExperimentConfig) -> tuple[ExperimentConfig, str]:
        """The first generation, and how many may follow."""
        return generation_config(config, 1), describe_next(search)

    def scores(
        self, config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs
    ) -> Sequence[pd.DataFrame]:
        """The ratings by which the best generation ranks."""
        run = analysis.load_run(folder.path)
        assert run.generations_figures is not None
        best = run.parts[run.generations_figures["best_generation"] - 1]
        return ranked_tables(best.path, config.ranking.by)

    def print_result(self, search: DnaPlusConfig, folder: RunFolder, console: Console) -> None:
        """Print the table of the generations."""
        print_generations(folder.path, console)


DNA_PLUS = DnaPlus()
