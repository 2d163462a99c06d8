"""Optuna's samplers as strategies: TPE on the accuracy, NSGA-II on accuracy and multiply-accumulates.

Source: TPE, Bergstra et al., NeurIPS 2011, multivariate, with a constant liar for trainings under way; NSGA-II, Deb et
al., IEEE Trans. Evol. Comput. 6 (2002); both as Optuna has them. Our own reading: all decisions of the space are
parameters of every trial, those that an architecture does not need among them, since NSGA-II crosses only what all
trials have; a suggestion that exceeds the budgets or was trained already is a failed trial, from which neither learns,
and is drawn again.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import Trial, TrialState

from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.uncounted import check_counted
from nasray.strategies.problem import Problem
from nasray.strategies.strategy import OneByOne, StrategySettings, Training

_MOST_TRIES = 50


class Sampled(OneByOne):
    """Architectures that a sampler of Optuna's suggests, after a first population drawn evenly.

    Args:
        problem: What is searched.
        settings: What may be spent, and the size of the first population.
        epochs: Full length of a training.
        sampler: What suggests.
        directions: "maximize" for the accuracy; and "minimize", if the MACs are an objective, too.
        draws_seed: Decides the first population.
    """

    def __init__(
        self,
        problem: Problem,
        settings: StrategySettings,
        epochs: int,
        sampler: BaseSampler,
        directions: tuple[Literal["minimize", "maximize"], ...],
        *,
        draws_seed: int,
    ) -> None:
        super().__init__(problem, settings, epochs)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(sampler=sampler, directions=directions)
        self._draws = problem.draws(draws_seed)
        self._distributions: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(options) for name, options in problem.choices.options().items()
        }
        self._trials: dict[str, Trial] = {}

    def tell(self, training: Training, accuracy: float) -> None:
        """The sampler learns how a suggestion ended."""
        values = [accuracy, float(self._problem.cost(training.architecture).num_macs)]
        self._study.tell(self._trials.pop(training.architecture), values[: len(self._study.directions)])

    def _propose(self) -> str | None:
        if len(self._asked) >= self._settings.first_population:
            for _ in range(_MOST_TRIES):
                trial = self._study.ask(self._distributions)
                architecture = self._problem.choices.assemble(partial(_taken, trial.params))
                if self._is_new(architecture):
                    self._trials[architecture] = trial
                    return architecture
                self._study.tell(trial, state=TrialState.FAIL)
        return self._draw()

    def _draw(self) -> str | None:
        """An architecture drawn evenly, as a trial that the sampler learns from."""
        architecture = next(filter(self._is_new, self._draws), None)
        if architecture is not None:
            self._study.enqueue_trial(self._problem.choices.decisions(architecture))
            self._trials[architecture] = self._study.ask(self._distributions)
        return architecture


def _taken(params: Mapping[str, Any], name: str, _: tuple[str, ...]) -> str:
    """What a trial took for a decision."""
    return params[name]


def tpe(problem: Problem, settings: StrategySettings, epochs: int, *, draws_seed: int, seed: int) -> Sampled:
    """TPE, which aims at the accuracy alone."""
    sampler = TPESampler(n_startup_trials=settings.first_population, seed=seed % 2**32)
    return Sampled(problem, settings, epochs, sampler, ("maximize",), draws_seed=draws_seed)


def nsga2(
    problem: Problem, settings: StrategySettings, epochs: int, *, draws_seed: int, seed: int
) -> Sampled:
    """NSGA-II, which aims at accuracy and few MACs at the same time.

    Raises:
        UserError: The MACs cannot be counted.
    """
    if isinstance(problem.space, SearchSpace):
        check_counted(problem.space.candidate_tables(), "the strategy nsga2")
    sampler = NSGAIISampler(population_size=settings.first_population, seed=seed % 2**32)
    return Sampled(problem, settings, epochs, sampler, ("maximize", "minimize"), draws_seed=draws_seed)
