import numpy as np
import pandas as pd

from nasray.analysis.exact.bounds.relaxation import relax, smallest_completions
from nasray.analysis.exact.chain import link


def test_the_bound_is_below_every_feasible_score(instances):
    for instance in instances:
        chain = link(instance.tables, instance.budgets)
        bound = chain.score.unscaled(relax(chain).bound)
        assert all(bound <= score for score, _, _ in instance.feasible)


def test_without_budgets_the_bound_is_the_best_score(instances):
    for instance in instances:
        chain = link(instance.tables, None)
        bound = chain.score.unscaled(relax(chain).bound)
        assert np.isclose(float(bound), float(instance.everything[0][0]), rtol=0, atol=1e-12)


def test_the_multiplier_is_the_slope_of_the_best_score():
    # Each unit of cost, of which 5 may be spent, lowers the score by 2 in one block and by 1 in the other.
    tables = [
        pd.DataFrame({"candidate": list("abcd"), "rating": slope * np.arange(4.0), "cost": [3, 2, 1, 0]})
        for slope in (2, 1)
    ]
    chain = link(tables, {"cost": 5})
    relaxation = relax(chain)
    unit = 2.0 ** (chain.score.exponent - chain.costs[0].exponent)
    assert 1 - 1e-6 <= relaxation.multipliers[0] * unit <= 2 + 1e-6
    assert np.isclose(float(chain.score.unscaled(relaxation.bound)), 1)


def test_excesses_add_up_to_the_distance_from_the_best(instances):
    for instance in instances:
        chain = link(instance.tables, instance.budgets)
        relaxation = relax(chain)
        completions = smallest_completions(chain, list(relaxation.excesses))
        assert np.allclose(np.concatenate(completions), 0)
        assert all((excesses >= 0).all() for excesses in relaxation.excesses)


def test_the_bound_may_prove_that_budgets_cannot_be_met_together():
    table = pd.DataFrame({"candidate": ["a", "b"], "rating": [1.0, 2.0], "x": [1, 5], "y": [5, 1]})
    chain = link([table, table], {"x": 5, "y": 5})
    assert chain.score.unscaled(relax(chain).bound) > 4
