"""Regularised evolution: the best of a few becomes a parent, the oldest of all dies.

Source: Real et al., AAAI 2019 (arXiv 1802.01548), algorithm 1. Our own reading: a mutation changes one decision at
random (see `choices`), and those below it that no longer fit; children that exceed the budgets or were trained already
are drawn again; several children are made from one population.
"""

from collections import deque

from nasray.strategies.problem import Problem
from nasray.strategies.strategy import OneByOne, StrategySettings, Training
from nasray.trainables.core.seeding import generator

_MOST_TRIES = 1000


class Evolution(OneByOne):
    """An evolving population.

    Args:
        problem: What is searched.
        settings: What may be spent, sizes of population and tournament.
        epochs: Full length of a training.
        draws_seed: Decides the first population.
        seed: Decides all else.
    """

    def __init__(
        self, problem: Problem, settings: StrategySettings, epochs: int, *, draws_seed: int, seed: int
    ) -> None:
        super().__init__(problem, settings, epochs)
        self._draws = problem.draws(draws_seed)
        self._rng = generator(seed, "evolution")
        self._population: deque[tuple[str, float]] = deque(maxlen=settings.first_population)

    def tell(self, training: Training, accuracy: float) -> None:
        """The newest joins the population, the oldest leaves it."""
        self._population.append((training.architecture, accuracy))

    def _propose(self) -> str | None:
        if len(self._asked) >= self._settings.first_population and self._population:
            for _ in range(_MOST_TRIES):
                child = self._mutate(self._parent())
                if self._is_new(child):
                    return child
        return next(filter(self._is_new, self._draws), None)

    def _parent(self) -> str:
        """The best of a tournament; the older one of equals."""
        size = min(self._settings.tournament, len(self._population))
        members = sorted(self._rng.choice(len(self._population), size, replace=False))
        return max((self._population[member] for member in members), key=lambda member: member[1])[0]

    def _mutate(self, parent: str) -> str:
        """The parent with another choice for one of its decisions."""
        choices = self._problem.choices
        options, kept = choices.options(), choices.decisions(parent)
        names = [name for name in kept if len(options[name]) > 1]
        changed = names[self._rng.integers(len(names))]
        others = [option for option in options[changed] if option != kept[changed]]
        kept[changed] = others[self._rng.integers(len(others))]
        return choices.assemble(
            lambda name, of_name: kept[name] if name in kept else of_name[self._rng.integers(len(of_name))]
        )
