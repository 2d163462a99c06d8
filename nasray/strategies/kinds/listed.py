"""Strategies that know beforehand what they ask for: random search, and the best of a ranking in their order."""

from collections.abc import Iterable

from nasray.strategies.problem import Problem
from nasray.strategies.strategy import OneByOne, StrategySettings, Training


class Listed(OneByOne):
    """Trains architectures in a given order.

    Args:
        problem: What is searched.
        settings: What may be spent.
        epochs: Full length of a training.
        architectures: Different ones, of the problem. Drawn evenly they make a random search, which is a strong
            baseline (Li and Talwalkar, UAI 2019, arXiv 1902.07638).
    """

    def __init__(
        self, problem: Problem, settings: StrategySettings, epochs: int, architectures: Iterable[str]
    ) -> None:
        super().__init__(problem, settings, epochs)
        self._architectures = iter(architectures)

    def tell(self, training: Training, accuracy: float) -> None:
        """Nothing: what comes next does not depend on it."""

    def _propose(self) -> str | None:
        return next(self._architectures, None)
