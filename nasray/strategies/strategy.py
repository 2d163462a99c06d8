"""The interface of a strategy: it asks for trainings and is told how they ended."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nasray.errors import UserError
from nasray.settings.mistakes import described
from nasray.strategies.problem import Problem


class StrategySettings(BaseModel):
    """What strategies may spend, and how they go about it; the same for all.

    Attributes:
        trainings: What may be spent, in trainings of full length; a strategy of shorter ones makes more of them.
        batch: How many trainings are asked for at once, before it is known how they end. Not a matter of the machine,
            so that the same seed gives the same search on any. Of few trainings no more than half.
        population: Architectures drawn evenly with which a search begins; the size of a population that evolves. Of
            few trainings no more than half, so that something is left to be learnt from them.
        tournament: Of so many of the population, drawn at random, evolution takes the best as a parent.
        reduction: Halving keeps the best 1 / `reduction` of a rung for the next one, of `reduction` times the epochs.
        fewest_epochs: Those of halving's first rung, at the least.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trainings: int = Field(default=20, ge=1)
    batch: int = Field(default=4, ge=1)
    population: int = Field(default=8, ge=2)
    tournament: int = Field(default=3, ge=1)
    reduction: int = Field(default=3, ge=2)
    fewest_epochs: int = Field(default=2, ge=1)

    @property
    def first_population(self) -> int:
        """The population that the trainings allow."""
        return min(self.population, self._half)

    @property
    def first_batch(self) -> int:
        """The batch that they allow: all that are asked for at once know nothing of each other."""
        return min(self.batch, self._half)

    @property
    def _half(self) -> int:
        return max(2, self.trainings // 2)


def strategy_settings(**given: int) -> StrategySettings:
    """The settings, defaults where nothing is given.

    Raises:
        UserError: One is not what it must be.
    """
    try:
        return StrategySettings.model_validate(given, strict=True)
    except ValidationError as error:
        detail = error.errors()[0]
        raise UserError(f"{'.'.join(map(str, detail['loc']))}: {described(detail)}") from None


@dataclass(frozen=True, slots=True)
class Training:
    """A training that a strategy asks for.

    Attributes:
        architecture: Its ID.
        epochs: How long.
    """

    architecture: str
    epochs: int


class Strategy(Protocol):
    """A search that knows of networks only what it is told of their trainings.

    The same seed and the same answers give the same questions.
    """

    def ask(self) -> list[Training]:
        """The next trainings, which need nothing from each other; none when the search is over."""

    def tell(self, training: Training, accuracy: float) -> None:
        """How a training ended that was asked for: its accuracy on the held-out images, 0 to 1."""


class OneByOne(ABC):
    """A strategy whose trainings are all of full length, each of another architecture.

    An architecture is never trained twice: the same training would give the same accuracy.

    Args:
        problem: What is searched.
        settings: What may be spent.
        epochs: Full length of a training.
    """

    def __init__(self, problem: Problem, settings: StrategySettings, epochs: int) -> None:
        self._problem, self._settings, self._epochs = problem, settings, epochs
        self._asked: set[str] = set()

    def ask(self) -> list[Training]:
        """As many trainings as a batch has, fewer at the end."""
        left = self._settings.trainings - len(self._asked)
        batch: list[Training] = []
        while len(batch) < min(left, self._settings.first_batch):
            architecture = self._propose()
            if architecture is None:
                break
            self._asked.add(architecture)
            batch.append(Training(architecture, self._epochs))
        return batch

    @abstractmethod
    def tell(self, training: Training, accuracy: float) -> None:
        """How a training ended that was asked for."""

    @abstractmethod
    def _propose(self) -> str | None:
        """An architecture that was not asked for; None where there is none left."""

    def _is_new(self, architecture: str) -> bool:
        """Whether an architecture may be proposed: within the budgets, and not asked for yet."""
        return architecture not in self._asked and self._problem.allows(architecture)
