"""Successive halving: many short trainings, of which the best are trained for longer.

Source: Jamieson and Talwalkar, AISTATS 2016 (arXiv 1502.07943), with a reduction factor as in Hyperband (arXiv
1603.06560). Our own reading: every rung trains from the beginning, with a schedule of the learning rate of its own
length, and is paid for in full; so the accuracies of a rung compare whole trainings.
"""

from itertools import islice

from nasray.strategies.problem import Problem
from nasray.strategies.strategy import StrategySettings, Training


def rungs(settings: StrategySettings, epochs: int) -> list[tuple[int, int]]:
    """How many architectures are trained for how many epochs, the shortest trainings first.

    Each rung may spend the same share of all; the last one trains for `epochs`.
    """
    lengths = [epochs]
    while lengths[0] // settings.reduction >= settings.fewest_epochs:
        lengths.insert(0, lengths[0] // settings.reduction)
    # A rung must afford one training at the least.
    lengths = lengths[-settings.trainings :]
    share = settings.trainings * epochs / len(lengths)
    return [(int(share / length), length) for length in lengths]


class Halving:
    """Successive halving over the epochs of a training.

    Args:
        problem: What is searched.
        settings: What may be spent, and the reduction factor.
        epochs: Full length of a training.
        draws_seed: Decides the architectures of the first rung.
    """

    def __init__(self, problem: Problem, settings: StrategySettings, epochs: int, *, draws_seed: int) -> None:
        self._rungs = rungs(settings, epochs)
        self._best = list(islice(problem.draws(draws_seed), self._rungs[0][0]))
        self._accuracies: dict[str, float] = {}

    def ask(self) -> list[Training]:
        """All trainings of the next rung."""
        if self._accuracies:
            self._best = sorted(self._accuracies, key=self._accuracies.__getitem__, reverse=True)
            self._accuracies = {}
        if not self._rungs:
            return []
        number, epochs = self._rungs.pop(0)
        return [Training(architecture, epochs) for architecture in self._best[:number]]

    def tell(self, training: Training, accuracy: float) -> None:
        """How a training of this rung ended."""
        self._accuracies[training.architecture] = accuracy
