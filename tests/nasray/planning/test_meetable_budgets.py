import pandas as pd
import pytest

from nasray.errors import UserError
from nasray.planning.meetable_budgets import check_meetable
from nasray.search_spaces.chain.mbconv import digits


def test_each_budget_is_held_to_the_smallest_architecture():
    space = digits((1, 8, 8), 10)
    tables, smallest = space.candidate_tables(), space.cost(space.smallest()).num_macs
    check_meetable(tables, {"num_macs": smallest})
    with pytest.raises(
        UserError, match=f"budgets.num_macs must be at least {smallest}, the smallest of all, got"
    ):
        check_meetable(tables, {"num_macs": smallest - 1})


@pytest.mark.parametrize("order", [["num_params", "num_macs"], ["num_macs", "num_params"]])
def test_budgets_are_held_to_what_meets_them_together(order):
    """Architectures cost (2, 20), (11, 11) or (20, 2)."""
    table = pd.DataFrame({"candidate": ["a", "b"], "num_params": [1, 10], "num_macs": [10, 1]})
    together, apart = {"num_params": 11, "num_macs": 11}, {"num_params": 10, "num_macs": 19}
    check_meetable([table, table], {name: together[name] for name in order})
    told = {"num_macs": "num_params up to 10 the smallest num_macs is 20, got 19"}
    told["num_params"] = "num_macs up to 19 the smallest num_params is 11, got 10"
    with pytest.raises(
        UserError, match=f"met together by some architecture, but with {told[order[1]]}: raise one"
    ):
        check_meetable([table, table], {name: apart[name] for name in order})


def test_widths_that_do_not_meet_make_no_architecture():
    """The cheapest row of each block, which a sum of smallest costs would take, are no chain here."""
    first = pd.DataFrame({"candidate": ["a", "b"], "out_channels": [8, 16], "num_params": [1, 5]})
    second = pd.DataFrame({"candidate": ["c", "d"], "in_channels": [8, 16], "num_params": [9, 2]})
    check_meetable([first, second], {"num_params": 7})
    with pytest.raises(UserError, match="must be at least 7, the smallest of all, got 6"):
        check_meetable([first, second], {"num_params": 6})
