import os
import re
import sys

import pytest

from nasray.trainables.core.guards.exits import ExitedError, exits_as_errors
from nasray.trainables.core.guards.faults import reason_of


@pytest.mark.parametrize(("module", "name"), [(sys, "sys.exit"), (os, "os._exit")])
def test_an_exit_is_an_error_with_its_place(module, name):
    with pytest.raises(ExitedError) as caught, exits_as_errors():
        getattr(module, name.partition(".")[2])(3)
    assert re.fullmatch(
        rf"ExitedError at \S*test_exits\.py:\d+: {name}\(3\) was called", reason_of(caught.value)
    )


def test_a_process_that_is_forked_may_exit():
    with exits_as_errors():
        child = os.fork()
        if child == 0:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_afterwards_it_is_as_before():
    before = os._exit
    with exits_as_errors():
        assert os._exit is not before
    assert os._exit is before
