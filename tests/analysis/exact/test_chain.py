import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.chain import link, meetings


def table(**columns):
    return pd.DataFrame({"candidate": ["a", "b"], "rating": [0.5, 0.25], "num_macs": [1, 2]} | columns)


def test_rows_are_in_the_order_of_ids_and_know_their_place_in_the_table():
    names = ["a-", "a", "a.", "ab"]
    first, last = link([pd.DataFrame({"candidate": names, "rating": 1.0})] * 2, None).blocks
    assert [names[row] for row in first.table_rows] == sorted(names, key=lambda name: f"{name}/")
    assert [names[row] for row in last.table_rows] == sorted(names)


def test_failed_candidates_and_dead_ends_are_left_out():
    first = table(rating=[np.nan, 0.5], out_channels=[8, 16])
    second = table(in_channels=[8, 16], out_channels=[8, 16])
    third = table(in_channels=[16, 32])
    chain = link([first, second, third], {"num_macs": 9})
    assert [block.table_rows.tolist() for block in chain.blocks] == [[1], [1], [0]]
    assert [values.tolist() for values in chain.costs[0].blocks] == [[2.0], [2.0], [1.0]]


def test_widths_bind_only_where_both_neighbours_have_them():
    blocks = link([table(), table(in_channels=[8, 16], out_channels=[8, 16]), table()], None).blocks
    assert all(len(block.table_rows) == 2 and block.num_entries == 1 for block in blocks)


@pytest.mark.parametrize(
    ("tables", "budgets", "message"),
    [
        ([], {}, "one table per block, got none"),
        ([table(), table().drop(columns="rating")], {}, "block 1 must have the column rating"),
        ([table()], {"num_params": 1}, "block 0 must have the column num_params"),
        ([table(num_macs=["x", "y"])], {"num_macs": 1}, "num_macs of block 0 must hold numbers"),
        (
            [table(num_macs=[1, np.inf])],
            {"num_macs": 1},
            "num_macs must be finite; in block 0 got inf of candidate 'b'",
        ),
        ([table(num_macs=[1, 2**60])], {"num_macs": 1}, "num_macs must lie within 2.53.*of candidate 'b'"),
        (
            [table(num_macs=[1, 2**63])],
            {"num_macs": 1},
            "num_macs must lie within 2.53.*got 9223372036854775808",
        ),
        (
            [table(num_macs=[1, 2**70])],
            {"num_macs": 1},
            "num_macs of block 0 must hold numbers, it holds object",
        ),
        ([table(num_macs=[1, 1e308])] * 2, {"num_macs": 1}, "sums of num_macs must stay below 2.1023"),
        ([table(rating=[1, -1.7e308])], {}, "sums of rating must stay below 2.1023"),
        ([table(rating=[1, 1j])], {}, "rating of block 0 must hold numbers, it holds complex128"),
        (
            [table(rating=[np.nan, np.nan])],
            {},
            "block 0 must have a rated candidate, it has none in 2 rows: 2 of the 2 in block 0",
        ),
        ([table(rating=[np.inf, 1])], {}, "rating must be finite"),
        ([table(candidate=["a/b", "c"])], {}, "must not contain"),
        ([table(candidate=["a", None])], {}, "candidate of block 0 must hold texts"),
        ([table(candidate=["a", "a"])], {}, "'a' stands more often"),
        ([table(candidate=["a", "a"], in_channels=[8, 16])], {}, "'a' stands more often"),
        ([table()], {"num_macs": -1}, "budget of num_macs must be a finite number from 0 on, got -1"),
        ([table()], {"num_macs": np.nan}, "budget of num_macs must be a finite number from 0 on, got nan"),
        ([table()], {"num_macs": np.inf}, "budget of num_macs must be a finite number from 0 on, got inf"),
        ([table()], {"num_macs": True}, "budget of num_macs must be a finite number from 0 on, got True"),
        ([table()], {"num_macs": "9"}, "budget of num_macs must be a finite number from 0 on, got '9'"),
        (
            [table(), table(out_channels=[8, 16]), table(in_channels=[24, 32])],
            {},
            r"block 1 must be left at a width at which block 2 is entered, it is left at \[8, 16\]",
        ),
    ],
)
def test_what_cannot_be_ranked_is_refused(tables, budgets, message):
    with pytest.raises(ValueError, match=message):
        link(tables, budgets)


def test_a_budget_of_macs_needs_all_of_them_counted():
    tables = [table(), table(candidate=["c", "d"], uncounted=[None, "a.fft, b.op"])]
    with pytest.raises(
        ValueError, match=r"of num_macs .* a\.fft, b\.op .* 1 of 2 rows of block 1, such as d"
    ):
        link(tables, {"num_macs": 3})
    assert len(link(tables, {}).blocks[1].ratings) == 2
    assert len(link([table(uncounted=[None, None])], {"num_macs": 3}).blocks[0].ratings) == 2


def test_meetings_are_all_pairs_of_equal_widths():
    pairs = meetings(np.array([0, 1, 0]), np.array([1, 0, 2]))
    assert sorted(pairs.T.tolist()) == [[0, 1], [1, 0], [2, 1]]
    assert meetings(np.array([], np.int64), np.array([0])).shape == (2, 0)
