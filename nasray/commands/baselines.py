"""Other strategies on a finished run's space, at equal cost, beside what its ranking puts first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from rich.console import Console

from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.tables.ratings import load_ratings
from nasray.errors import SearchFailedError, UserError
from nasray.evidence.plan import reopen_to_train
from nasray.execution.execution import Execution
from nasray.inputs.shared import unit_inputs
from nasray.methods.method import ranking_method
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.run.stored_ranking import rank_again
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.settings.evidence import EvidenceConfig
from nasray.settings.experiment import ExperimentConfig
from nasray.strategies.build import RANKING, STRATEGIES, build_strategy
from nasray.strategies.contest import Step, choice, compete, steps_table
from nasray.strategies.problem import Problem
from nasray.strategies.ranking_cost import ranking_epochs
from nasray.strategies.strategy import StrategySettings, Training
from nasray.strategies.tracking import TrackStrategies
from nasray.strategies.trainer import Trainer
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import SearchInputs, UnitInputs


@dataclass(frozen=True, slots=True)
class Baselines:
    """What strategies found.

    Attributes:
        choices: A row per strategy and seed of its search, and one of what the ranking puts first, called by its
            method, without trainings. Columns: `strategy`, `seed`, `architecture`, `held_out_accuracy` (by which the
            strategy chose it), `test_accuracy` (the mean of the training seeds), `test_accuracies` (per training seed),
            the counted costs, `num_trainings` and `cost_epochs`, what the search took.
        trainings: A row per training in the order in which a strategy asked for it, with the `seed` of its search, see
            `Step`.
        coverage: Of which architectures the ranking speaks, while strategies search all; None where there is none.
    """

    choices: pd.DataFrame
    trainings: pd.DataFrame
    coverage: Coverage | None


def baselines(
    run: Path,
    overrides: Sequence[str] = (),
    *,
    strategies: Sequence[str] | None = None,
    settings: StrategySettings | None = None,
    num_seeds: int = 1,
    console: Console | None = None,
) -> Baselines:
    """Search a finished run's space by strategies that train networks for real, all at the same cost.

    They keep the run's budgets, train as its section `retrain` says, with the first of its training seeds, and choose
    by the held-out images. What was trained once, for the evidence or for another strategy, is not trained again, but
    counts for all that ask for it. The choices, and the first of the run's ranking, are then trained with the other
    training seeds, too, and the test images looked at. Leaves `baselines.parquet` and `baselines_trainings.parquet` in
    the run's folder.

    Args:
        run: The run's folder.
        overrides: Changes to `retrain.train` and to resources, as "a.b=value".
        strategies: Of STRATEGIES; None: all that the run allows.
        settings: What strategies may spend, and how.
        num_seeds: How many searches each strategy makes that draws, the first with the run's seed. More of them go on
            from those that there are.
        console: Where to show what runs; None: nowhere.

    Raises:
        UserError: The folder is no run's, there is no such strategy, no seed, or a change concerns more than the
            trainings.
        SearchFailedError: Trainings failed.
    """
    if num_seeds < 1:
        raise UserError(f"the number of seeds must be at least 1, got {num_seeds}")
    settings = settings or StrategySettings()
    folder = RunFolder(run.absolute())
    config = _read_config(folder, overrides)
    assert config.retrain is not None
    names = _check_names(strategies, config)
    inputs = unit_inputs(config, folder)
    with folder.locked():
        tracker = Tracker(config, folder)
        with Execution(config, folder, tracker, console or Console(quiet=True)) as execution:
            trainer = Trainer(config, config.retrain, folder, inputs, execution)
            found = _search(names, settings, num_seeds, trainer, tracker)
        write_parquet(folder.baselines, found.choices)
        write_parquet(folder.baseline_trainings, found.trainings)
        leave_report(folder)
    return found


def _search(
    names: Sequence[str], settings: StrategySettings, num_seeds: int, trainer: Trainer, tracker: Tracker
) -> Baselines:
    """Let the strategies compete, seed by seed, and the ranking's first beside them."""
    config, epochs = trainer.config, trainer.settings.train.epochs
    ranking, problem = _ranking_and_problem(config, trainer.folder, trainer.inputs)
    ranked = [] if ranking is None else list(ranking[ARCHITECTURE])
    ranking_cost = 0.0
    if isinstance(trainer.inputs, SearchInputs):
        ranking_cost = ranking_epochs(config, trainer.folder, trainer.inputs, problem)
    parts = []
    for seed in range(config.seed, config.seed + num_seeds):
        drawing = names if seed == config.seed else [name for name in names if name != RANKING]
        if not drawing:  # the ranking's own, which no seed changes
            break
        searches = {
            name: build_strategy(name, problem, settings, epochs=epochs, seed=seed, ranked=ranked)
            for name in drawing
        }
        tracking = TrackStrategies(tracker, drawing, settings, config, seed)
        try:
            steps = compete(searches, trainer.search, tracking.log)
            chosen = [choice([step for step in steps if step.strategy == name]) for name in drawing]
            if ranked and seed == config.seed:
                chosen.append(_untrained(ranked[0], epochs, trainer))
            tests = trainer.test(list(dict.fromkeys(step.architecture for step in chosen)))
        except SearchFailedError as error:
            tracking.fail(str(error))
            raise
        trainings = steps_table(steps).assign(seed=seed)
        rows = [_row(step, trainings, tests[step.architecture], problem, ranking_cost) for step in chosen]
        choices = pd.DataFrame(rows).assign(seed=seed)
        tracking.finish(choices)
        parts.append((choices, trainings))
    choices, trainings = (pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))
    return Baselines(choices, trainings, None if ranking is None else Coverage.read(ranking.attrs))


def _ranking_and_problem(
    config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs
) -> tuple[pd.DataFrame | None, Problem]:
    """The run's ranking, None where it has none, and what strategies search beside it."""
    if not config.ranks:
        return None, Problem(inputs.space, config.budgets)
    ranking = rank_again(config, folder)
    return ranking, Problem(inputs.space, config.budgets, load_ratings(folder.path))


def _untrained(architecture: str, epochs: int, trainer: Trainer) -> Step:
    """The choice of a ranking by itself, which spends no epoch on training it."""
    training = Training(architecture, epochs)
    outcome = trainer.search([training])[training]
    accuracy = outcome.held_out_accuracy
    name = ranking_method(trainer.config)[0].method
    return Step(name, 0, architecture, epochs, accuracy, outcome.seconds, 0, architecture, accuracy)


def _row(
    chosen: Step, trainings: pd.DataFrame, tests: Sequence[float], problem: Problem, ranking_cost: float
) -> dict[str, Any]:
    """A choice as a row; what made the ranking counts for those that start from it."""
    own = trainings[trainings["strategy"] == chosen.strategy]
    return {
        "strategy": chosen.strategy,
        "architecture": chosen.architecture,
        "held_out_accuracy": chosen.held_out_accuracy,
        "test_accuracy": fmean(tests),
        "test_accuracies": list(tests),
        **problem.cost(chosen.architecture).counts,
        "num_trainings": len(own),
        "cost_epochs": float(own["epochs"].sum())
        + ranking_cost * (chosen.strategy == RANKING or not len(own)),
    }


def _read_config(folder: RunFolder, overrides: Sequence[str]) -> ExperimentConfig:
    """The run's config with the overrides, which may change how networks are trained and what may be used for it.

    Raises:
        UserError: They change more, or there is no way of training.
    """
    before = folder.read_config()
    config, settings = reopen_to_train(folder, overrides)
    given = (before.retrain or EvidenceConfig()).model_copy(update={"train": settings.train})
    if settings != given or config.budgets != before.budgets:
        raise UserError(
            "changes may concern retrain.train and resources alone, since all strategies search what the run searched: "
            "change the rest by `nasray search`, with the run's own config"
        )
    return config


def _check_names(names: Sequence[str] | None, config: ExperimentConfig) -> Sequence[str]:
    """The strategies to compare.

    Raises:
        UserError: There is none, one is unknown or stands twice, or it needs a ranking that the run has not.
    """
    possible = [name for name in STRATEGIES if name != RANKING or config.ranks]
    if names is None:
        return possible
    for name in names:
        if name not in possible:
            raise UserError(
                f"strategies must be of {', '.join(possible)}, got {name}{did_you_mean(name, possible)}"
            )
    if not names or len(set(names)) < len(names):
        raise UserError(f"strategies must be different ones, got {', '.join(names) or 'none'}")
    return names
