"""A thousand made-up inputs: each is taken, or refused in words with exit code 2; none is changed."""

import contextlib
import copy
import functools
import hashlib
import io
import math
import operator
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nasray.cli import main
from nasray.search_spaces.artefacts import rating_table
from nasray.search_spaces.artefacts.columns import UNCOUNTED
from nasray.search_spaces.chain.mbconv import digits
from nasray.settings.loading import dump_config, load_config, shipped_configs

pytestmark = pytest.mark.timeout(600)

_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
    st.sampled_from(["module:function", "../..", "/", "~", "a/b", "1e400", "-1", "null", "x" * 1000]),
    st.lists(st.integers() | st.none() | st.text("ab"), max_size=3),
    st.dictionaries(st.text("abc", max_size=3), st.integers() | st.none(), max_size=2),
)


def run(*arguments):
    """Exit code, output and errors of a command."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main([str(argument) for argument in arguments])
    return code, output.getvalue(), errors.getvalue()


def digests(folder):
    """What all files hold."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check_refused(code, errors):
    """A mistake is told in words, and at no length that nobody reads."""
    assert code == 2
    assert errors.startswith("nasray: ")
    assert "Traceback" not in errors
    assert len(errors) < 5000


# Configs


def places(value, place=()):
    """The places of all values inside a nested one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*place, key)
        yield from places(item, (*place, key))


_CONFIGS = {name: yaml.safe_load(dump_config(load_config(name))) for name in sorted(shipped_configs())}
_PLACES = {name: list(places(plain)) for name, plain in _CONFIGS.items()}


@st.composite
def damaged_configs(draw):
    """A shipped config of which some values are others, some keys gone, and some too many."""
    name = draw(st.sampled_from(sorted(_CONFIGS)))
    plain = copy.deepcopy(_CONFIGS[name])
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(_PLACES[name]))
        try:
            group = functools.reduce(operator.getitem, path, plain)
            _ = group[last]
        except (KeyError, IndexError, TypeError):
            assume(False)  # the first change took it away
        change = draw(st.sampled_from(["set", "set", "set", "remove", "add"]))
        if change == "set":
            group[last] = draw(_VALUES)
        elif change == "remove":
            del group[last]
        elif isinstance(group, dict):
            group[draw(st.sampled_from(["model_config", "lr", "epohcs", ""]))] = draw(_VALUES)
    return plain


@settings(max_examples=500, derandomize=True, deadline=None)
@given(damaged_configs())
def test_a_config_is_read_or_refused_in_words(tmp_path_factory, plain):
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    before = digests(folder)
    try:
        config = load_config(path)
    except ValueError:
        code, _, errors = run("search", path, "--dry-run")
        check_refused(code, errors)
    else:
        path.write_text(dump_config(config))
        assert load_config(path) == config
        return
    assert digests(folder) == before


@pytest.mark.slow
@settings(max_examples=300, derandomize=True, deadline=None)
@given(damaged_configs())
def test_what_is_read_can_be_planned_or_is_refused_in_words(tmp_path_factory, plain):
    path = tmp_path_factory.mktemp("hostile") / "config.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    try:
        load_config(path)
    except ValueError:
        return  # see the test above
    code, planned, errors = run("search", path, "--dry-run")
    if code == 0:
        assert "data: " in planned
    else:
        check_refused(code, errors)
    assert list(path.parent.iterdir()) == [path]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!<>|?'\" \n\t#%@0", max_size=60).map(str.encode))
def test_what_is_no_config_is_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("hostile") / "config.yaml"
    path.write_bytes(content)
    code, _, errors = run("search", path, "--dry-run")
    check_refused(code, errors)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.lists(
        st.sampled_from(["searches", "data", "teacher", "0", "1", "-1", "9", "²", "lr", "train", ""]),
        max_size=4,
    ),
    st.sampled_from(
        ["", "[", "{", "&a [*a]", "!!python/name:os.system", "'", "1e400", "null", "\x00", "[[]]"]
    ),
)
def test_an_override_is_refused_in_words(path, value):
    override = f"{'.'.join(path)}={value}"
    assume(not override.startswith("-"))  # which is an option to any command
    try:
        load_config("digits", [override])
    except ValueError:
        code, _, errors = run("search", "digits", override, "--dry-run")
        check_refused(code, errors)


# Tables of ratings


@pytest.fixture(scope="module")
def rated(tmp_path_factory, leave_ratings):
    """A run's folder with made-up ratings, and how it is ranked."""
    folder, rng = tmp_path_factory.mktemp("rated"), np.random.default_rng(0)
    leave_ratings(folder, digits((1, 8, 8), 10), lambda table: rng.uniform(0.2, 0.8, (len(table), 4)))
    (folder / "config.yaml").write_text("budgets: {num_params: 60000.0}\n")
    return folder, rank(folder)[1]


def rank(folder):
    return run("rank", folder, "--top", "5", "--resamples", "0")


@pytest.fixture(scope="module")
def damaged(rated, tmp_path_factory):
    """Copies of the run, each to be damaged."""
    return lambda: shutil.copytree(rated[0], tmp_path_factory.mktemp("hostile") / "run")


def check_ranked(folder, expected):
    """Exit code 0 with that ranking, or a refusal; nothing is changed."""
    before = digests(folder)
    code, output, errors = rank(folder)
    if code:
        check_refused(code, errors)
    else:
        assert output == expected
    assert digests(folder) == before


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.integers(0, 5),
    st.integers(0),
    st.sampled_from(["flip", "cut", "append", "replace"]),
    st.binary(max_size=9),
)
def test_damaged_bytes_of_a_table_change_no_ranking(rated, damaged, table, position, damage, junk):
    folder = damaged()
    path = sorted((folder / "ratings").rglob("*.parquet"))[table]
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[position % len(content)] ^= 1 << position % 8
    elif damage == "cut":
        del content[position % len(content) :]
    elif damage == "append":
        content += junk
    else:
        content = bytearray(junk)
    path.write_bytes(bytes(content))
    check_ranked(folder, rated[1])


def is_missing(value):
    """Whether a table's value is none, however that is written."""
    return value is None or (isinstance(value, float) and math.isnan(value))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.integers(0, 5),
    st.sampled_from(rating_table.schema().names),
    st.integers(0, 11),
    st.sampled_from([None, np.nan, np.inf, -np.inf, -1, 2**62, "x", "", [], [1.0], [np.nan] * 4]),
)
def test_a_tables_impossible_values_are_refused(rated, damaged, table, column, row, value):
    folder = damaged()
    path = sorted((folder / "ratings").rglob("*.parquet"))[table]
    columns = pq.read_table(path, partitioning=None).to_pydict()
    row %= len(columns[column])
    was = columns[column][row]
    assume(value != was and not (is_missing(value) and is_missing(was)))
    assume((column, value) != (UNCOUNTED, "x"))  # an operator may be called so
    columns[column][row] = value
    try:
        pq.write_table(pa.Table.from_pydict(columns, schema=rating_table.schema()), path)
    except (pa.ArrowException, OverflowError, TypeError):
        assume(False)  # not even a file can hold it
    before = digests(folder)
    code, _, errors = rank(folder)
    check_refused(code, errors)
    assert digests(folder) == before


@pytest.mark.parametrize("column", ["rating", "rating_batches", "num_params", "num_macs"])
@pytest.mark.parametrize("kept", [0, 1, -1])
def test_a_table_that_lacks_rows_or_a_column_is_refused(damaged, column, kept):
    folder = damaged()
    path = sorted((folder / "ratings").rglob("*.parquet"))[0]
    table = pq.read_table(path, partitioning=None)
    for damaged_table in (table[:kept] if kept >= 0 else table[1:], table.drop_columns(column)):
        pq.write_table(damaged_table, path)
        code, _, errors = rank(folder)
        check_refused(code, errors)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(
            ("config.yaml", text)
            for text in ("", "[]", "budgets: 1", "budgets: {num_params: x}", "a: [", "\x00")
        ),
        *(("config.yaml", text) for text in ("budgets: {x: 1}", "budgets: {num_params: -1}", "budgets: [1]")),
        ("config.yaml", "budgets: {num_params: !!python/name:os.system }"),
        *(
            ("ratings/tables.json", text)
            for text in ("", "{", "null", "1", "[]", "{}", "[1]", "[null]", '"abc"')
        ),
        *(
            ("ratings/tables.json", text)
            for text in ('{"a": 1}', '{"../config.yaml": 1}', '{"ratings": null}')
        ),
    ],
)
def test_other_files_of_a_run_that_are_damaged_are_refused(damaged, name, content):
    folder = damaged()
    (folder / name).write_text(content)
    before = digests(folder)
    code, _, errors = rank(folder)
    check_refused(code, errors)
    assert digests(folder) == before
