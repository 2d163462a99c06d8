import signal
import threading

import pytest

from nasray.interrupts import ended_by_sigterm, interrupts_delayed
from nasray.tracking.backlog import Backlog


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """Also where the tests were started in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def work(done, *signals):
    """Something that must be whole, in which signals come."""
    with ended_by_sigterm(), interrupts_delayed():
        for number in signals:
            signal.raise_signal(number)
        done.append("all")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_the_end(number):
    done = []
    with pytest.raises(KeyboardInterrupt):
        work(done, number)
    assert done == ["all"]


def test_a_second_interrupt_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt):
        work(done, signal.SIGINT, signal.SIGTERM)
    assert not done


def test_afterwards_signals_are_handled_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interrupts_delayed():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_other_threads_need_no_delay():
    done = []

    def in_thread():
        with interrupts_delayed():
            done.append("all")

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert done == ["all"]


def test_a_call_to_mlflow_is_made_whole_and_once():
    """Broken off it would stand there twice, and could leave MLflow's database locked."""
    entries, backlog = [], Backlog("here")

    def take(entry):
        entries.append(f"{entry} begun")
        signal.raise_signal(signal.SIGINT)
        entries.append(f"{entry} done")

    with pytest.raises(KeyboardInterrupt):
        backlog.call(take, "one")
    backlog.finish()
    assert entries == ["one begun", "one done"]
