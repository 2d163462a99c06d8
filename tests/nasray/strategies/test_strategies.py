"""What every strategy must do, and what each promises."""

import pytest

from nasray.strategies.build import STRATEGIES, build_strategy
from nasray.strategies.contest import Outcome, choice, compete
from nasray.strategies.kinds.evolution import Evolution
from nasray.strategies.kinds.halving import rungs
from nasray.strategies.problem import Problem
from nasray.strategies.strategy import StrategySettings, strategy_settings

EPOCHS = 9
ADAPTIVE = ("evolution", "tpe", "nsga2")


def accuracy(problem, architecture):
    """An easy truth: a share for each decision that is as it should be."""
    made = problem.choices.decisions(architecture)
    return sum(taken in ("mb3k3", "2x8") for taken in made.values()) / 8


def steps(name, problem, *, seed=0, **given):
    settings = strategy_settings(**given)
    ranked = list(problem.draws(9)) if name == "ranking" else []
    strategy = build_strategy(name, problem, settings, epochs=EPOCHS, seed=seed, ranked=ranked)

    def train(trainings):
        return {one: Outcome(accuracy(problem, one.architecture), 1.0) for one in trainings}

    return compete({name: strategy}, train)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_keeps_the_budgets_and_what_it_may_spend(name, tight):
    made = steps(name, tight, trainings=12, population=5)
    trainings = {(step.architecture, step.epochs) for step in made}
    assert len(trainings) == len(made), "none twice"
    assert all(tight.allows(step.architecture) for step in made)
    assert made[-1].spent_epochs == sum(step.epochs for step in made) <= 12 * EPOCHS
    if name != "halving":
        assert [step.epochs for step in made] == [EPOCHS] * 12


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_seed_decides(name, problem):
    once, again, other = (steps(name, problem, seed=seed, trainings=14) for seed in (0, 0, 1))
    assert once == again
    if name != "ranking":
        assert once != other


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_search_of_more_than_there_is_ends(name, tight):
    found = {step.architecture for step in steps(name, tight, trainings=60)}
    assert found == set(tight.draws(0))


@pytest.mark.parametrize("name", ["evolution", "tpe"])
def test_what_is_learned_is_used(name, problem):
    """On the average of some seeds the later half is better than random search's, and begins as that does."""
    own, drawn = (
        [steps(one, problem, seed=seed, trainings=24) for seed in range(6)] for one in (name, "random")
    )
    assert [step.architecture for step in own[0][:8]] == [step.architecture for step in drawn[0][:8]]

    def later(runs):
        return sum(step.held_out_accuracy for run in runs for step in run[12:])

    assert later(own) > 1.05 * later(drawn)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_genotypes_can_be_searched(name, cell_space):
    problem = Problem(cell_space, {})
    strategy = build_strategy(name, problem, StrategySettings(trainings=12, population=4), epochs=1, seed=0)

    def train(trainings):
        return {one: Outcome(one.architecture.count("nor_conv_3x3") / 6, 1.0) for one in trainings}

    assert len(compete({name: strategy}, train)) == 12


def test_nsga2_looks_for_few_macs_too(problem):
    """Where all are equally right, the cheap ones are chosen as parents."""
    strategy = build_strategy(
        "nsga2", problem, StrategySettings(trainings=40, population=6), epochs=1, seed=0
    )
    made = compete({"nsga2": strategy}, lambda asked: dict.fromkeys(asked, Outcome(0.5, 1.0)))
    macs = [problem.cost(step.architecture).num_macs for step in made]
    assert sum(macs[20:30]) < sum(macs[:10])


def test_the_oldest_dies_and_a_mutation_changes_one_decision(problem):
    evolution = Evolution(
        problem, StrategySettings(population=3, tournament=3, batch=3), 1, draws_seed=0, seed=0
    )
    first = evolution.ask()
    for training, value in zip(first, (0.9, 0.2, 0.1), strict=True):
        evolution.tell(training, value)
    made = problem.choices.decisions(first[0].architecture)
    for child in evolution.ask():
        of_child = problem.choices.decisions(child.architecture)
        differing = [name for name in made.keys() & of_child.keys() if made[name] != of_child[name]]
        assert len(differing) == 1, "all children are those of the best"
        evolution.tell(child, 0.0)
    assert first[0].architecture not in {name for name, _ in evolution._population}


@pytest.mark.parametrize(
    ("given", "epochs", "expected"),
    [
        ({"trainings": 20}, 10, [(33, 3), (10, 10)]),
        ({"trainings": 20, "fewest_epochs": 1}, 10, [(66, 1), (22, 3), (6, 10)]),
        ({"trainings": 20, "reduction": 2}, 8, [(26, 2), (13, 4), (6, 8)]),
        ({"trainings": 1}, 27, [(1, 27)]),
        ({"trainings": 5}, 1, [(5, 1)]),
    ],
)
def test_rungs_share_what_may_be_spent(given, epochs, expected):
    settings = StrategySettings(**given)
    assert rungs(settings, epochs) == expected
    assert sum(number * length for number, length in expected) <= settings.trainings * epochs


def test_halving_goes_on_with_the_best(problem):
    made = steps("halving", problem, trainings=12)
    short = [step for step in made if step.epochs < EPOCHS]
    long = [step for step in made if step.epochs == EPOCHS]
    worst = min(step.held_out_accuracy for step in long)
    left_out = [step for step in short if step.architecture not in {one.architecture for one in long}]
    assert max(step.held_out_accuracy for step in left_out) <= worst
    assert choice(made) in long


@pytest.mark.parametrize(
    ("name", "message"), [("evolutoin", "did you mean 'evolution'"), ("asha", "must be of random")]
)
def test_an_unknown_strategy_is_told(name, message, problem):
    with pytest.raises(ValueError, match=message):
        build_strategy(name, problem, StrategySettings(), epochs=1, seed=0)


def test_a_setting_that_cannot_be_is_told():
    with pytest.raises(ValueError, match=r"^trainings: must be greater than or equal to 1, got 0$"):
        strategy_settings(trainings=0)


def test_few_trainings_leave_some_to_be_learnt_from():
    assert StrategySettings(trainings=6).first_population == 3
    assert StrategySettings(trainings=2).first_population == 2
    assert StrategySettings(trainings=20).first_population == 8
    assert [StrategySettings(trainings=number).first_batch for number in (2, 4, 6, 20)] == [2, 2, 3, 4]


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize("trainings", [4, 6, 8])
def test_few_trainings_are_no_random_search(name, trainings, problem):
    differing = 0
    for seed in range(5):
        own, drawn = (
            [step.architecture for step in steps(one, problem, seed=seed, trainings=trainings)]
            for one in (name, "random")
        )
        assert own[: trainings // 2] == drawn[: trainings // 2]
        differing += own != drawn
    assert differing >= 4
