import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.bounds.relaxation import relax
from nasray.analysis.exact.bounds.widening import num_within, slack_holding
from nasray.analysis.exact.chain import link
from nasray.analysis.exact.search import Search


@pytest.mark.parametrize("number", [100, 10_000])
def test_the_slack_holds_about_as_many_architectures(large_tables, number):
    chain = link(large_tables, None)
    relaxation = relax(chain)
    slack = slack_holding(chain, relaxation, number)
    assert 0.8 * number < num_within(chain, relaxation, slack) < 1.2 * number
    up_to = chain.score.unscaled(relaxation.bound + slack)
    assert 0.8 * number < Search(chain, relaxation).count(up_to) < 1.2 * number


def test_no_slack_holds_more_than_there_are():
    chain = link([pd.DataFrame({"candidate": list("abc"), "rating": [1.0, 2.0, 3.0]})] * 2, None)
    relaxation = relax(chain)
    assert 0 < slack_holding(chain, relaxation, 3) < 2
    assert slack_holding(chain, relaxation, 10) == np.inf


def test_ties_need_hardly_any_slack(large_tables):
    tables = [table.assign(rating=table["rating"].round(0)) for table in large_tables]
    chain = link(tables, None)
    assert slack_holding(chain, relax(chain), 1000) < 0.01
