from argparse import ArgumentTypeError

import pytest

from nasray.cli.types import amount, architecture, at_least, milliseconds, port


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("60k", 60_000),
        ("1.5M", 1_500_000),
        ("2G", 2_000_000_000),
        ("400e6", 400_000_000),
        ("9007199254740993", 2**53 + 1),
        ("1,000", 1000),
        ("0.5", 0.5),
        ("0", 0),
    ],
)
def test_amounts(text, value):
    assert amount(text) == value
    assert type(amount(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["", "k", "-1", "nan", "inf", "1e999999999999999999", "3ms", "5 apples", "--"]
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="must be a number from 0 on"):
        amount(text)


@pytest.mark.parametrize(("text", "value"), [("3ms", 3), ("3", 3), ("0.25ms", 0.25), ("0.2s", 200)])
def test_milliseconds(text, value):
    assert milliseconds(text) == pytest.approx(value)


def test_counts_and_ports():
    assert at_least(0)("0") == 0
    with pytest.raises(ArgumentTypeError, match="from 0 on, got '-1'"):
        at_least(0)("-1")
    with pytest.raises(ArgumentTypeError, match="from 1 on, got 'x'"):
        at_least(1)("x")
    assert port("5000") == 5000
    with pytest.raises(ArgumentTypeError, match="at most 65535, got '70000'"):
        port("70000")


def test_an_id_that_was_copied_over_two_lines():
    assert architecture(" 2x16:skip,\n  mb3k3/1x8:conv3 \n") == "2x16:skip,mb3k3/1x8:conv3"
