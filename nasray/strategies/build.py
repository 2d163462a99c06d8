"""The strategies by name."""

from collections.abc import Sequence

from nasray.errors import UserError
from nasray.search_spaces.names.suggestion import did_you_mean
from nasray.strategies.kinds.evolution import Evolution
from nasray.strategies.kinds.halving import Halving
from nasray.strategies.kinds.listed import Listed
from nasray.strategies.kinds.samplers import nsga2, tpe
from nasray.strategies.problem import Problem
from nasray.strategies.strategy import Strategy, StrategySettings
from nasray.trainables.core.seeding import derive_seed

RANKING = "ranking"
STRATEGIES = ("random", "evolution", "tpe", "nsga2", "halving", RANKING)


def build_strategy(
    name: str,
    problem: Problem,
    settings: StrategySettings,
    *,
    epochs: int,
    seed: int,
    ranked: Sequence[str] = (),
) -> Strategy:
    """The strategy of that name.

    All that draw begin with the same architectures, so that what is trained for one is there for the others, and
    comparisons of them are paired.

    Args:
        name: Of STRATEGIES.
        problem: What is searched.
        settings: What may be spent, and how.
        epochs: Full length of a training.
        seed: Decides all draws.
        ranked: Architectures of a ranking, best first, for the strategy that trains these.

    Raises:
        UserError: There is no such strategy.
    """
    draws_seed, own_seed = derive_seed(seed, "baselines"), derive_seed(seed, "baselines", name)
    match name:
        case "random":
            return Listed(problem, settings, epochs, problem.draws(draws_seed))
        case "evolution":
            return Evolution(problem, settings, epochs, draws_seed=draws_seed, seed=own_seed)
        case "tpe":
            return tpe(problem, settings, epochs, draws_seed=draws_seed, seed=own_seed)
        case "nsga2":
            return nsga2(problem, settings, epochs, draws_seed=draws_seed, seed=own_seed)
        case "halving":
            return Halving(problem, settings, epochs, draws_seed=draws_seed)
        case "ranking":
            return Listed(problem, settings, epochs, ranked)
        case _:
            raise UserError(
                f"strategies must be of {', '.join(STRATEGIES)}, got {name}{did_you_mean(name, STRATEGIES)}"
            )
