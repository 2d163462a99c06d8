import json

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.exact.unrated import Unrated, unrated_candidates


def block(failures, widths=(8,)):
    """A block of all pairs of three operations, with the reasons of those that failed."""
    rows = [
        {
            "candidate": f"2x16:{first},{second}",
            "operations": f"{first},{second}",
            "in_channels": width,
            "rating": np.nan if (reason := failures(first, second, width)) else 0.5,
            "failure": reason,
        }
        for width in widths
        for first in ("sep3", "bad", "worse")
        for second in ("sep3", "bad", "worse")
    ]
    return pd.DataFrame(rows)


def whole():
    return block(lambda *_: None)


def told(failures, **arguments):
    return [str(one) for one in unrated_candidates([whole(), block(failures, **arguments)])]


def test_where_all_are_rated_there_are_none():
    assert unrated_candidates([whole(), whole()]) == ()


def test_the_operation_that_all_have_in_common_is_named():
    assert told(lambda *names: "non-finite output" if "bad" in names else None) == [
        "5 of the 9 in block 1, each with `bad` (non-finite output)"
    ]


def test_of_several_operations_that_are_never_rated_each_candidate_has_one():
    assert told(lambda *names: "non-finite output" if {"bad", "worse"} & set(names) else None) == [
        "8 of the 9 in block 1, each with `bad` or `worse` (non-finite output)"
    ]


def test_kinds_of_reasons_are_told_apart_by_what_stands_before_the_colon():
    def failures(first, second, _):
        if first == "bad":
            return f"out of memory: {second}"
        return "non-finite output" if first == "worse" else None

    assert told(failures) == [
        "3 of the 9 in block 1, each with `bad` (out of memory: sep3)",
        "3 of the 9 in block 1, each with `worse` (non-finite output)",
    ]


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        ({("bad", "bad")}, "1 of the 9 in block 1, 2x16:bad,bad (it failed)"),
        ({("bad", "worse")}, "1 of the 9 in block 1, 2x16:bad,worse (it failed)"),
        ({("bad", "sep3"), ("worse", "worse")}, "2 of the 9 in block 1, such as 2x16:bad,sep3 (it failed)"),
    ],
)
def test_without_an_operation_to_blame_a_candidate_is_named(failed, text):
    assert told(lambda first, second, _: "it failed" if (first, second) in failed else None) == [text]


def test_a_single_candidate_is_told_by_an_operation_that_no_other_has():
    table = pd.DataFrame(
        {
            "candidate": ["1x8:a", "1x8:b"],
            "operations": ["a", "b"],
            "rating": [0.5, np.nan],
            "failure": [None, "no"],
        }
    )
    assert list(map(str, unrated_candidates([table]))) == ["1 of the 2 in block 0, with `b` (no)"]


def test_an_operation_that_fails_at_one_place_is_named_where_it_is_the_only_common_one():
    assert told(lambda first, *_: "it failed" if first == "bad" else None) == [
        "3 of the 9 in block 1, each with `bad` (it failed)"
    ]


def test_widths_are_named_where_the_same_candidates_are_rated_at_others():
    def failures(first, second, width):
        return "it failed" if "bad" in (first, second) and width == 24 else None

    assert told(failures, widths=(16, 24)) == [
        "5 of the 9 in block 1 where it is entered at 24 channels, each with `bad` (it failed)"
    ]


def test_a_long_reason_is_shortened_and_in_one_line():
    (text,) = told(lambda first, *_: "RuntimeError: at\n  " + "x y " * 100 if first == "bad" else None)
    assert "\n" not in text
    assert "(RuntimeError: at x y" in text
    assert len(text) < 150


def test_tables_that_say_no_more_are_read_all_the_same():
    table = pd.DataFrame({"candidate": ["a", "b", "c"], "rating": [0.1, np.nan, np.nan]}, index=[7, 7, 7])
    (one,) = unrated_candidates([table])
    assert str(one) == "2 of the 3 in block 0, such as b"
    assert one == Unrated(0, 2, 3, "b", (), (), "")


def test_plain_data_hold_all_of_it():
    (one,) = unrated_candidates([block(lambda *names: "it failed" if "bad" in names else None)])
    assert Unrated.read(json.loads(json.dumps(one.data()))) == one
