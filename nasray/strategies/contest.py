"""Strategies side by side: what each asks for is trained, and told to it, until all have spent what they may."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from nasray.strategies.strategy import Strategy, Training


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended.

    Attributes:
        held_out_accuracy: Share of the held-out images that the network gets right, 0 to 1.
        seconds: How long it took, whenever it was run.
    """

    held_out_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """A training of a strategy's, and where the strategy stands after it.

    Attributes:
        strategy: Its name.
        number: Counted from 1.
        architecture: ID of what was trained.
        epochs: How long.
        held_out_accuracy: How it ended, 0 to 1.
        seconds: Time of the training, whenever it was run.
        spent_epochs: Epochs of all trainings so far.
        best: ID of what the strategy would choose now: the best on the held-out images of those trained longest.
        best_held_out_accuracy: How the training of that ended.
    """

    strategy: str
    number: int
    architecture: str
    epochs: int
    held_out_accuracy: float
    seconds: float
    spent_epochs: int
    best: str
    best_held_out_accuracy: float


def compete(
    strategies: Mapping[str, Strategy],
    train: Callable[[Sequence[Training]], Mapping[Training, Outcome]],
    notice: Callable[[Step], None] = lambda step: None,
) -> list[Step]:
    """The steps of all strategies, in the order of each one's own; those of a round of batches stand together.

    Args:
        strategies: By name; none has been asked yet.
        train: Runs different trainings, in any order.
        notice: Told of every step.
    """
    steps: list[Step] = []
    while asked := {name: batch for name, strategy in strategies.items() if (batch := strategy.ask())}:
        outcomes = train(list(dict.fromkeys(training for batch in asked.values() for training in batch)))
        for name, batch in asked.items():
            for training in batch:
                outcome = outcomes[training]
                strategies[name].tell(training, outcome.held_out_accuracy)
                steps.append(_step(name, training, outcome, [one for one in steps if one.strategy == name]))
                notice(steps[-1])
    return steps


def choice(steps: Sequence[Step]) -> Step:
    """The best of a strategy's steps: of the longest trainings that of highest accuracy, the first of equals."""
    return max(steps, key=lambda step: (step.epochs, step.held_out_accuracy))


def steps_table(steps: Sequence[Step]) -> pd.DataFrame:
    """A row per step, strategy by strategy."""
    order = list(dict.fromkeys(step.strategy for step in steps))
    return pd.DataFrame([asdict(step) for name in order for step in steps if step.strategy == name])


def _step(name: str, training: Training, outcome: Outcome, before: Sequence[Step]) -> Step:
    step = Step(
        strategy=name,
        number=len(before) + 1,
        architecture=training.architecture,
        epochs=training.epochs,
        held_out_accuracy=outcome.held_out_accuracy,
        seconds=outcome.seconds,
        spent_epochs=training.epochs + (before[-1].spent_epochs if before else 0),
        best=training.architecture,
        best_held_out_accuracy=outcome.held_out_accuracy,
    )
    if not before:
        return step
    best = choice([*before, step])
    return replace(step, best=best.architecture, best_held_out_accuracy=best.held_out_accuracy)
