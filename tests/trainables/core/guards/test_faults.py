import importlib
import json
import sys
from traceback import FrameSummary

import pytest
import torch
from torch import distributed

from nasray.errors import UserError
from nasray.search_spaces.files.atomic_file import DiskFullError
from nasray.trainables.core.guards.faults import may_pass, place_of, reason_of
from nasray.trainables.core.training import NonFiniteLossError

FAULTY = """
import json


def look_up(names):
    return names["missing"]


def without_words():
    assert False


def deep():
    json.loads("{")


def long():
    raise RuntimeError("what happened\\n  and what to read of it:\\nhttps://example.org")
"""


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """A module of a user's own."""
    (tmp_path / "faulty_code.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("faulty_code")
    del sys.modules["faulty_code"]


def reason(function, *arguments):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function(*arguments)
    return reason_of(caught.value)


def test_a_reason_has_kind_place_and_message(faulty):
    assert reason(faulty.look_up, {}) == "KeyError at faulty_code.py:6: 'missing'"
    assert reason(faulty.without_words) == "AssertionError at faulty_code.py:10"


def test_the_place_is_in_the_users_code_where_that_calls_others(faulty):
    assert reason(faulty.deep).startswith("JSONDecodeError at faulty_code.py:14: Expecting property name")


def test_a_long_message_is_one_line_from_its_beginning(faulty):
    said = "RuntimeError at faulty_code.py:18: what happened and what to read of it: https://example.org"
    assert reason(faulty.long) == said


def test_where_no_code_is_the_users_the_innermost_place_is_told():
    frames = [FrameSummary(json.__file__, 3, "loads"), FrameSummary("<frozen runpy>", 9, "run")]
    assert place_of(frames) == "json/__init__.py:3"
    assert place_of([]) == ""


def test_our_own_messages_say_all():
    assert reason_of(UserError("data.root must be a folder")) == "data.root must be a folder"
    assert reason_of(NonFiniteLossError("loss must stay finite")) == "loss must stay finite"


def test_when_it_happened_stands_behind_the_kind():
    assert reason_of(RuntimeError("no"), "in training") == "RuntimeError in training: no"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("the store"),
        TimeoutError(),
        OSError(5, "Input/output error"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        distributed.DistNetworkError("a peer"),
        RuntimeError("DataLoader worker (pid(s) 17) exited unexpectedly"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_what_lies_outside_of_the_code_may_pass(error):
    assert may_pass(error)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        AttributeError(),
        AssertionError(),
        NotImplementedError(),
        UserError("a CUDA error: of a user's"),
        DiskFullError("there must be space"),
    ],
)
def test_what_the_code_does_comes_again(error):
    assert not may_pass(error)
