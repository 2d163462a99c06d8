import time

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import UNAUTHENTICATED
from sqlalchemy.exc import DatabaseError

from nasray.tracking.backlog import Backlog


class Place:
    """A place that takes entries, unless it is away."""

    def __init__(self):
        self.entries, self.attempts, self.error = [], 0, None

    def take(self, entry):
        self.attempts += 1
        if self.error is not None:
            raise self.error
        self.entries.append(entry)


@pytest.fixture
def place():
    return Place()


def test_calls_are_made_at_once(place):
    backlog = Backlog("here")
    for number in range(3):
        backlog.call(place.take, entry=number)
    assert place.entries == [0, 1, 2]


def unheard():
    """What MLflow raises of a server that does not answer."""
    error = MlflowException("API request to http://somewhere failed")
    error.__context__ = ConnectionRefusedError()
    return error


@pytest.mark.parametrize("error", [unheard(), ConnectionRefusedError()])
def test_what_was_missed_is_made_up_for_in_its_order_and_said_once(place, error, caplog):
    backlog = Backlog("http://somewhere", pause_seconds=0)
    backlog.call(place.take, 0)
    place.error = error
    for number in (1, 2, 3):
        backlog.call(place.take, number)
    assert place.entries == [0]
    place.error = None
    time.sleep(0.1)  # a pause is longer than the attempt before it
    backlog.call(place.take, 4)
    assert place.entries == [0, 1, 2, 3, 4]
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "MLflow at http://somewhere does not answer",
        "MLflow at http://somewhere answers again and has what it missed",
    ]


def test_a_place_that_is_away_is_left_alone_for_a_while(place):
    backlog = Backlog("here", pause_seconds=0.2)
    place.error = ConnectionRefusedError()
    for number in range(10):
        backlog.call(place.take, number)
    assert place.attempts == 1
    time.sleep(0.3)
    backlog.call(place.take, 10)
    assert place.attempts == 2


def test_the_end_waits_for_no_pause_and_tells_what_is_missing(place, caplog):
    backlog = Backlog("here", pause_seconds=1000)
    place.error = ConnectionRefusedError()
    backlog.call(place.take, 0)
    backlog.call(place.take, 1)
    backlog.finish()
    assert "2 entries are missing there" in caplog.messages[-1]
    place.error = None
    backlog.finish()
    assert place.entries == [0, 1]


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("failed at http://me:secret@somewhere/api", UNAUTHENTICATED),
        DatabaseError("select", {}, Exception("no such table")),
        ModuleNotFoundError("No module named 'boto3'"),
    ],
)
def test_what_mlflow_refuses_ends_nothing_and_waits(place, error, caplog):
    """Credentials that expire while networks train, say: an error here would end the trainings."""
    backlog = Backlog("http://me:secret@somewhere", pause_seconds=0)
    place.error = error
    for number in (0, 1):
        backlog.call(place.take, number)
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        "MLflow at http://somewhere refuses what is to be logged"
    ]
    backlog.finish()
    assert "2 entries are missing there" in caplog.messages[-1]
    assert "secret" not in caplog.text
    place.error = None
    backlog.finish()
    assert place.entries == [0, 1]
