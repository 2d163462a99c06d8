from collections import Counter
from itertools import islice

import numpy as np
from scipy import stats

from nasray.strategies.problem import Problem


def keeps(problem, architecture):
    cost = problem.space.cost(architecture)
    return all(getattr(cost, name) <= limit for name, limit in problem.budgets.items())


def test_every_architecture_within_the_budgets_is_drawn_once(problem, tight, every):
    assert sorted(problem.draws(0)) == sorted(every)
    allowed = [name for name in every if keeps(tight, name)]
    assert 0 < len(allowed) < len(every) / 2 + 1
    assert sorted(tight.draws(0)) == sorted(allowed)
    assert [tight.allows(name) for name in every] == [keeps(tight, name) for name in every]


def test_draws_are_uniform(problem, tight, every):
    for one, draws in ((problem, problem._of_all), (tight, tight._within_budgets)):
        drawn = Counter(islice(draws(np.random.default_rng(0)), 3000))
        counts = [drawn[name] for name in every if keeps(one, name)]
        assert sum(counts) == 3000
        assert stats.chisquare(counts).pvalue > 0.01


def test_the_seed_decides(problem, tight):
    for one in (problem, tight):
        assert list(islice(one.draws(3), 9)) == list(islice(one.draws(3), 9))
        assert list(islice(one.draws(3), 9)) != list(islice(one.draws(4), 9))


def test_budgets_that_nothing_keeps_give_nothing(space, tables):
    assert list(Problem(space, {"num_macs": 1.0}, tables).draws(0)) == []


def test_genotypes_are_drawn_too(cell_space):
    names = list(islice(Problem(cell_space, {}).draws(0), 50))
    assert len(set(names)) == 50
    assert Problem(cell_space, {}).allows(names[0])
