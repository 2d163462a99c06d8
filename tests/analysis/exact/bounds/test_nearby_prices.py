import itertools

import numpy as np
import pandas as pd

from nasray.analysis.exact.bounds.nearby_prices import NearbyPrices
from nasray.analysis.exact.bounds.relaxation import relax
from nasray.analysis.exact.chain import link
from nasray.analysis.exact.search import Search


def test_every_beginning_of_an_architecture_within_the_budgets_is_allowed(instances):
    for instance in instances:
        chain = link(instance.tables, instance.budgets)
        prices = NearbyPrices(chain, relax(chain))
        for rows in whole_architectures(chain):
            ratings = np.cumsum([block.ratings[row] for block, row in zip(chain.blocks, rows, strict=True)])
            costs = np.cumsum(
                [block.costs[:, row] for block, row in zip(chain.blocks, rows, strict=True)], axis=0
            )
            if not (costs[-1] <= chain.limits).all():
                continue
            for number, (block, row) in enumerate(zip(chain.blocks, rows, strict=True)):
                allowed = prices.allowing(
                    number,
                    ratings[number : number + 1],
                    costs[number][:, None],
                    block.exits[[row]],
                    ratings[-1],
                )
                assert len(allowed) == 1


def whole_architectures(chain):
    for rows in itertools.product(*[range(len(block.ratings)) for block in chain.blocks]):
        widths = [0, *(block.exits[row] for block, row in zip(chain.blocks, rows, strict=True))]
        if all(
            block.entries[row] == width for block, row, width in zip(chain.blocks, rows, widths, strict=False)
        ):
            yield rows


def test_they_rule_out_what_the_best_prices_allow():
    rng = np.random.default_rng(0)
    chain = random_chain(rng, num_blocks=12, num_rows=6)
    relaxation = relax(chain)
    prices, up_to = NearbyPrices(chain, relaxation), relaxation.bound + 0.2
    rows = rng.integers(6, size=(6, 20_000))
    scores, costs, values = np.zeros(20_000), np.zeros((2, 20_000)), np.zeros(20_000)
    for block, chosen, excesses in zip(chain.blocks, rows, relaxation.excesses, strict=False):
        scores, costs = scores + block.ratings[chosen], costs + block.costs[:, chosen]
        values += excesses[chosen]
    (by_best,) = np.nonzero(values <= up_to - relaxation.bound)
    kept = prices.allowing(5, scores[by_best], costs[:, by_best], np.zeros(len(by_best), np.int64), up_to)
    assert 0 < len(kept) < len(by_best)


def test_the_search_finds_the_same(monkeypatch):
    chain = random_chain(np.random.default_rng(1), num_blocks=12, num_rows=5)
    relaxation = relax(chain)
    with_prices = Search(chain, relaxation).best(50, np.inf)
    monkeypatch.setattr(NearbyPrices, "allowing", lambda self, block, scores, *_: np.arange(len(scores)))
    without = Search(chain, relaxation).best(50, np.inf)
    assert with_prices.complete
    assert without.complete
    np.testing.assert_array_equal(with_prices.rows, without.rows)
    np.testing.assert_array_equal(with_prices.scores, without.scores)


def random_chain(rng, num_blocks, num_rows):
    tables = []
    for _ in range(num_blocks):
        size = rng.random(num_rows)
        costs = {name: size + 0.3 * rng.random(num_rows) for name in ("a", "b")}
        rating = 1 - 0.5 * size + 0.1 * rng.standard_normal(num_rows)
        tables.append(
            pd.DataFrame({"candidate": [f"c{n}" for n in range(num_rows)], "rating": rating, **costs})
        )
    return link(tables, dict.fromkeys(("a", "b"), num_blocks * 0.6))
