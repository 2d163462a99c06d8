import math
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasray.search_spaces.files.plain_yaml import dump_yaml, parse_yaml

# What YAML can write: no lone surrogates, no control characters but tab and newline.
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=20,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(_PLAIN)
def test_what_is_written_is_read_back_as_it_was(plain):
    assert parse_yaml(dump_yaml(plain)) == plain


@pytest.mark.parametrize(
    "text",
    ["1e5", "5E-3", "no", "yes", "010", "0x10", "1:30", "2020-01-01", "~", "", "<<", "null", ".inf", "1_0"],
)
def test_a_text_that_looks_like_something_else_stays_a_text(text):
    assert parse_yaml(dump_yaml({"key": text})) == {"key": text}


def test_words_and_numbers_are_those_of_yaml_1_2():
    text = "[5e6, -1e-3, .5, 1., 010, .inf, true, ~, no, 1:30, 2020-01-01, 0x10]"
    expected = [5e6, -1e-3, 0.5, 1.0, 10, math.inf, True, None, "no", "1:30", "2020-01-01", "0x10"]
    assert parse_yaml(text) == expected
    assert math.isnan(parse_yaml(".nan"))


def test_merged_keys_may_be_set_again():
    plain = parse_yaml("a: &a {b: 1, c: 2}\nd: &d {<<: *a, b: 3}\ne: {<<: *d, c: 4}\n")
    assert plain["d"] == {"b": 3, "c": 2}
    assert plain["e"] == {"b": 3, "c": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "the key c stands twice"),
        ("1: a", r"keys must be texts, got 1"),
        ("? [1, 2]\n: a", "unhashable key"),
        ("a: !!set {b}", "values must be texts, numbers"),
        ("a: !!binary aGVsbG8=", "values must be texts, numbers"),
        ("&a [*a]", "at most 100,000 values, and one holds itself"),
        ("a: &a {<<: *a}", "at most 100,000 values, and one holds itself"),
        ("a: &a {<<: [{b: *a}]}", "at most 100,000 values, and one holds itself"),
        ("[" * 101 + "]" * 101, "nested too deeply, in more than 100 levels"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ("- " * 5000, "nested too deeply"),
        ("? " * 5000, "nested too deeply"),
        (
            "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000)),
            "nested too deeply",
        ),
        (
            "a0: &a0 {}\n" + "\n".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 5000)),
            "nested too deeply",
        ),
        ("a: " + "9" * 301, "whole numbers must have at most 300 digits, got 301"),
        ("a: '" + "9" * 1_000_000, "at most 1,000,000 characters, it has 1,000,004"),
        ("!!bool abc", "'abc' is tagged as !!bool, and is none"),
        ("!!float ''", "'' is tagged as !!float, and is none"),
        ("!!int 1:30", "'1:30' is tagged as !!int, and is none"),
        ("!!timestamp abc", "values must be texts, numbers, true, false or null, got !!timestamp"),
        ("!!omap [a: 1]", "values must be texts, numbers, true, false or null, got !!omap"),
        ('"\\ud800"', "texts must be made of whole characters"),
        ("a: [", "expected the node content"),
        ("a: 1\n---\nb: 2", "single document"),
    ],
)
def test_what_is_not_plain_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_yaml(text)


def test_a_few_lines_that_stand_for_more_than_any_memory_holds_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(ValueError, match="at most 100,000 values, aliases written out"):
        parse_yaml("\n".join(lines))


@pytest.mark.parametrize("num_levels", [6, 9, 30])
def test_merged_keys_that_unfold_to_more_are_refused_at_once(num_levels):
    lines = ["a0: &a0 {k0: 1, k1: 1, k2: 1, k3: 1, k4: 1, k5: 1, k6: 1, k7: 1, k8: 1, k9: 1}"]
    lines += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, num_levels)]
    started = time.process_time()
    with pytest.raises(ValueError, match="at most 100,000 values, aliases written out"):
        parse_yaml("\n".join(lines))
    assert time.process_time() - started < 1


def test_a_hundred_levels_are_read():
    plain = parse_yaml("[" * 99 + "x" + "]" * 99)
    for _ in range(99):
        (plain,) = plain
    assert plain == "x"


@pytest.mark.parametrize(
    "call", ["!!python/object/apply:pathlib.Path.touch [{}]", "!!python/object/new:os.system ['touch {}']"]
)
def test_a_text_cannot_run_code(call, tmp_path):
    touched = Path(tmp_path) / "touched"
    with pytest.raises(ValueError, match="could not determine a constructor"):
        parse_yaml(f"a: {call.format(touched)}")
    assert not touched.exists()
