"""Operations of a cell that fail: each is left out of its layer, and the cell goes on without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from nasray.search_spaces.files.atomic_file import write_json
from nasray.search_spaces.files.json_file import read_object
from nasray.trainables.core.guards.exits import as_error
from nasray.trainables.core.guards.faults import may_pass, reason_of
from nasray.trainables.core.guards.watchdog import doing

_RECORD = "left_out.json"
_TRAINING = "in training"


@dataclass(frozen=True, slots=True)
class Place:
    """A choice of a cell that is being computed.

    Attributes:
        layer: The layer's number in the cell, from 0.
        operation: The operation's name.
        in_training: Whether the cell is in training, whose weights are then not whole when the operation fails.
    """

    layer: int
    operation: str
    in_training: bool

    @property
    def when(self) -> str:
        """In words, when it is computed; empty while candidates are rated."""
        return _TRAINING if self.in_training else ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An operation of a cell that is left out, and why.

    Attributes:
        layer: Of which layer; None: of all, as what hangs is, since each time costs a process and long waiting.
        operation: The operation's name.
        reason: Why, in a line.
    """

    layer: int | None
    operation: str
    reason: str

    def __str__(self) -> str:
        where = "" if self.layer is None else f" in layer {self.layer}"
        return f"`{self.operation}`{where} is left out ({self.reason})"


class OperationError(RuntimeError):
    """An operation failed, and would fail again.

    Attributes:
        place: Which one.
        reason: Why, in a line.
    """

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(f"`{place.operation}` in layer {place.layer}: {reason}")
        self.place, self.reason = place, reason


@contextmanager
def computing(place: Place) -> Iterator[None]:
    """Within, an operation is computed, which is to blame for what goes wrong and does not pass.

    Raises:
        OperationError: It failed.
    """
    with doing(place):
        try:
            yield
        except SystemExit as error:
            raise OperationError(place, reason_of(as_error(error), place.when)) from error
        except Exception as error:
            if may_pass(error):
                raise
            raise OperationError(place, reason_of(error, place.when)) from error


def leave_out(folder: Path, inputs: str, operation: LeftOut) -> None:
    """Note in a unit's folder that an operation is left out from now on.

    Args:
        folder: The unit's.
        inputs: Digest of what the unit depends on.
        operation: The operation.
    """
    found = [*left_out_in(folder), operation]
    write_json(folder / _RECORD, {"inputs": inputs, "operations": [asdict(one) for one in found]})


def left_out_in(folder: Path) -> list[LeftOut]:
    """The operations that the unit of a folder left out."""
    record = read_object(folder / _RECORD, "inputs", "operations")
    return [] if record is None else [LeftOut(**one) for one in record["operations"]]


def forget_others(folder: Path, inputs: str) -> None:
    """Remove from a unit's folder what was left out where it depended on something else, such as other code."""
    record = read_object(folder / _RECORD, "inputs")
    if record is not None and record["inputs"] != inputs:
        (folder / _RECORD).unlink()
