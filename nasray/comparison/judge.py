"""The networks that are trained for real to judge a comparison, and what they say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import pandas as pd

from nasray.comparison.arms import ArmRun
from nasray.errors import UserError
from nasray.evidence.networks import FOUND, GROUP, SAMPLE
from nasray.evidence.plan import retrain_units
from nasray.evidence.table import evidence_table
from nasray.planning.resolve import check_budgets
from nasray.run.folder import RunFolder, retrain_unit
from nasray.scheduling.unit import Unit
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.uncounted import check_counted
from nasray.settings.comparison import JudgeConfig
from nasray.settings.experiment import ExperimentConfig
from nasray.strategies.problem import Problem
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.retrain.trainable import RetrainSpec
from nasray.trainables.settings.training import RetrainConfig


@dataclass(frozen=True)
class Judge:
    """What trains networks of one space for real.

    Attributes:
        settings: How.
        config: The comparison's config.
        folder: Its folder.
        space: The space's name.
        inputs: What its units share, in that space and with the judge's seed, where it has one.
    """

    settings: JudgeConfig
    config: ExperimentConfig
    folder: RunFolder
    space: str
    inputs: UnitInputs

    def check(self) -> None:
        """Hold the space to what is asked of it, before anything is searched.

        Raises:
            UserError: Networks are to be drawn from a space of cells, or without a seed; or budgets exclude all.
        """
        if not self.settings.sample:
            return
        if self.settings.seed is None:
            raise UserError(
                "comparison.judge.seed must be given where comparison.judge.sample networks are drawn, got null"
            )
        if not isinstance(self.inputs.space, SearchSpace):
            raise UserError(
                f"comparison.judge.sample must be 0 in {self.space}, a space of cells: scores of its networks are not "
                "known"
            )
        check_budgets(self.config.budgets, self.inputs.space)
        check_counted(self.inputs.space.candidate_tables(), "a comparison, which ranks by MACs as well,")

    def trainings(self, architecture: str, run: ArmRun | None = None) -> list[RetrainSpec]:
        """The trainings of an architecture; `run` is the search that found it.

        On that search's own seed where the judge has none: training seeds are then counted from it.
        """
        inputs, place, first = self.inputs, self.space, 0
        if self.settings.seed is None:
            assert run is not None
            inputs, place, first = self.inputs.without_teacher(run.seed), run.name, run.seed
        config = RetrainConfig(train=self.settings.train)
        specs = []
        for training_seed in self.settings.training_seeds:
            name = retrain_unit(architecture, config, first + training_seed, place)
            specs.append(
                RetrainSpec(
                    name=name,
                    folder=self.folder.unit(name),
                    inputs=inputs,
                    architecture=architecture,
                    config=config,
                    training_seed=first + training_seed,
                )
            )
        return specs

    @cached_property
    def sample(self) -> list[str]:
        """The architectures that are drawn to judge scores by."""
        if not self.settings.sample:
            return []
        assert self.settings.seed is not None
        return list(islice(self._problem.draws(self.settings.seed), self.settings.sample))

    def drawn(self, seeds: Sequence[int]) -> dict[int, str]:
        """Per seed an architecture, drawn uniformly within the budgets, where networks are drawn at all."""
        return {seed: next(self._problem.draws(seed)) for seed in seeds} if self.settings.sample else {}

    def networks(self, found: Sequence[str]) -> pd.DataFrame:
        """The sample and what was found, each once, of which all trainings are done, as `evidence_table` has them."""
        rows = [(name, SAMPLE) for name in self.sample] + [(name, FOUND) for name in found]
        frame = pd.DataFrame(rows, columns=[ARCHITECTURE, GROUP], dtype=str)
        frame = frame.drop_duplicates(ARCHITECTURE, ignore_index=True)
        trainings = {name: self.trainings(name) for name in frame[ARCHITECTURE]}
        return evidence_table(frame, trainings, [], None, self.inputs)

    def units(self, specs: Sequence[RetrainSpec]) -> Iterator[Unit]:
        """The units of trainings, each once."""
        return retrain_units(list({spec.name: spec for spec in specs}.values()), self.inputs)

    @cached_property
    def _problem(self) -> Problem:
        space = self.inputs.space
        assert isinstance(space, SearchSpace)
        return Problem(space, self.config.budgets, space.candidate_tables())
