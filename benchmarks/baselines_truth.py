"""What do strategies find at equal cost, where the truth is known?

The strategies of `nasray.strategies` search the 343 networks of the space in `truth_space.py`, whose accuracies with
two training seeds stand in `truth.csv`: what a strategy sees of a training is the accuracy with one seed, what its
choice is worth is that with the other, so that nothing owes its worth to the noise it was chosen by; then the other way
round. Beside them stand a DNA search's first place and the best of its first ones when these are trained, the same of a
ranking by MACs, and the best of all 343. Successive halving is left out: the table has no shorter trainings.

Printed are means over many searches with their standard errors, and the cost: trainings, and for DNA searches what they
took besides, in trainings by multiply-accumulates (see `nasray.methods.block_wise.cost`). The DNA searches are those of
`ranking_truth.py`, which must have run with its arm "default".

    python benchmarks/baselines_truth.py [--seeds 100] [--root runs/ranking_truth]
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from truth_space import SEEDS, TABLE, TRAINING, truth_space

from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.tables.ratings import load_ratings
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.settings.loading import load_config
from nasray.strategies.build import RANKING, build_strategy
from nasray.strategies.contest import Outcome, choice, compete
from nasray.strategies.problem import Problem
from nasray.strategies.ranking_cost import ranking_epochs
from nasray.strategies.strategy import StrategySettings
from nasray.trainables.inputs import SearchInputs

STRATEGIES = ("random", "evolution", "tpe", "nsga2")
TRAININGS = (10, 20, 40)
RUNS = ("default_0", "default_1", "default_2")


def main() -> None:
    """Search many times and print what the choices are worth."""
    arguments = _arguments()
    rows = pd.read_csv(TABLE)
    truth = rows.pivot_table(index="architecture", columns="seed", values="accuracy")
    problem = Problem(truth_space((1, 14, 14), 10), {})
    print(f"{'':<34}{'trainings':>12}{'true accuracy of the choice':>32}")
    _print("best of all, all trained", len(truth), _worths(truth, lambda seen: seen.idxmax()))
    for name in STRATEGIES:
        for trainings in TRAININGS:
            worths = [
                worth
                for seed in range(arguments.seeds)
                for worth in _worths(truth, _searched(name, trainings, problem, seed=seed))
            ]
            _print(name, trainings, worths)
    by_macs = rows.groupby("architecture")["num_macs"].first().sort_values(ascending=False)
    _print_ranked("most MACs", [list(by_macs.index)], truth, problem, 0.0)
    runs = [_dna(Path(arguments.root, run)) for run in RUNS]
    cost = float(np.mean([epochs for _, epochs in runs])) / TRAINING.epochs
    _print_ranked("dna", [ranked for ranked, _ in runs], truth, problem, cost)
    print(f"{cost:.1f} trainings are what a DNA search takes, from its teacher on")


def _worths(truth: pd.DataFrame, choose: Callable[[pd.Series], str]) -> list[float]:
    """What is chosen by the accuracies with either seed, as worth with the other."""
    pairs = zip(SEEDS, reversed(SEEDS), strict=True)
    return [float(truth.loc[choose(truth[seen]), other]) for seen, other in pairs]


def _searched(
    name: str, trainings: int, problem: Problem, *, seed: int = 0, ranked: Iterable[str] = ()
) -> Callable[[pd.Series], str]:
    """What a strategy chooses, as a function of the accuracies that it would see."""

    def choose(seen: pd.Series) -> str:
        settings = StrategySettings(trainings=trainings)
        strategy = build_strategy(
            name, problem, settings, epochs=TRAINING.epochs, seed=seed, ranked=list(ranked)
        )
        steps = compete(
            {name: strategy},
            lambda asked: {one: Outcome(float(seen[one.architecture]), 0.0) for one in asked},
        )
        return choice(steps).architecture

    return choose


def _dna(run: Path) -> tuple[list[str], float]:
    """A search's ranking of all, and what it took, in epochs of training a network."""
    folder = RunFolder(run.absolute())
    config = load_config(folder.config, [f"storage.root={folder.path.parent}"])
    inputs = unit_inputs(config, folder)
    assert isinstance(inputs, SearchInputs)
    tables = load_ratings(folder.path)
    ranking = top_architectures(tables, {}, inputs.space.num_architectures)
    return list(ranking[ARCHITECTURE]), ranking_epochs(
        config, folder, inputs, Problem(inputs.space, {}, tables)
    )


def _print_ranked(
    name: str, rankings: list[list[str]], truth: pd.DataFrame, problem: Problem, cost: float
) -> None:
    """What the first of rankings are worth untrained, and the best of the first ones when these are trained."""
    _print(f"{name}: the first", cost, [float(truth.loc[ranked[0]].mean()) for ranked in rankings])
    for trainings in TRAININGS:
        searched = (_searched(RANKING, trainings, problem, ranked=ranked) for ranked in rankings)
        worths = [float(np.mean(_worths(truth, choose))) for choose in searched]
        _print(f"{name}: the best of its first {trainings}", cost + trainings, worths)


def _print(name: str, cost: float, worths: list[float]) -> None:
    error = f" ± {np.std(worths, ddof=1) / np.sqrt(len(worths)):.4f}" if len(worths) > 2 else ""
    print(f"{name:<34}{cost:>12.0f}{f'{np.mean(worths):.4f}{error}':>32}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100, help="searches per strategy")
    parser.add_argument("--root", default="runs/ranking_truth", help="folder of the DNA searches' runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
