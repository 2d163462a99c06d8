"""The origins of a run beside its config: the data, the user's modules, the teacher's checkpoint."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from nasray.errors import UserError
from nasray.trainables.data.identity import DataIdentity
from nasray.trainables.inputs import CHECKPOINT, UnitInputs

SCHEMA_VERSION = 2
"""Of what a run's folder holds: another one is not read. Version 1, which said none, had `study` and `family`."""


class Origins(BaseModel):
    """What a run was computed from beside its config.

    Attributes:
        schema_version: Of what the folder holds.
        data: Identity of the data set.
        sources: Digests of the files behind the config's names, see `UnitInputs.sources`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    data: DataIdentity
    sources: dict[str, str]

    @classmethod
    def of(cls, inputs: UnitInputs) -> Self:
        """Those of what is computed from inputs whose data set is at hand."""
        return cls(schema_version=SCHEMA_VERSION, data=inputs.identity, sources=inputs.sources)

    def changed_modules(self, now: "Origins") -> list[str]:
        """The names of the user's modules whose files are not what they were."""
        names = sorted(self.sources.keys() | now.sources.keys())
        changed = (name for name in names if self.sources.get(name) != now.sources.get(name))
        return [name.removeprefix("module ") for name in changed if name != CHECKPOINT]

    def check(self, now: "Origins", run: Path) -> None:
        """Hold what is there now to what a run was computed from.

        The user's modules may have changed: what belongs to them is then made anew.

        Args:
            now: What is there.
            run: The run's folder, for the message.

        Raises:
            UserError: The data or the teacher's checkpoint have changed; the message says what of them.
        """
        changes = self.data.changes(now.data)
        if changes:
            raise UserError(
                f"{run} was computed from other data than data.source and data.root name now: {changes}. Search "
                "under a name of its own (name=...), or bring the data back"
            )
        before, after = self.sources.get(CHECKPOINT), now.sources.get(CHECKPOINT)
        if None not in (before, after) and before != after:  # that there is one or none, the configs tell
            raise UserError(
                f"{run} was computed from another checkpoint than the one that teacher.weights names now, whose "
                "content is not the same. Search under a name of its own (name=...), or bring the file back"
            )
