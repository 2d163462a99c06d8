"""Units of work, what each needs, and which of them are still to be done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nasray.trainables.inputs import UnitSpec


@dataclass(frozen=True)
class Unit:
    """One trial of the schedule.

    Attributes:
        spec: What to do.
        needs: Names of the units whose results it reads.
        cost: Estimated work, in any unit; among units that are ready the largest starts first.
        part: The search that it belongs to, where the schedule has units of several.
    """

    spec: UnitSpec
    needs: tuple[str, ...] = ()
    cost: float = 0.0
    part: str = ""

    @property
    def name(self) -> str:
        """The unit's name, unique in the schedule."""
        return f"{self.part}/{self.spec.name}" if self.part else self.spec.name

    def of_part(self, part: str) -> "Unit":
        """The unit as one of a search beside others in a schedule."""
        return replace(self, part=part, needs=tuple(f"{part}/{name}" for name in self.needs))


def still_to_do(units: Sequence[Unit], targets: Sequence[Unit]) -> tuple[list[Unit], set[str]]:
    """The units that must run for the targets' results to be there, and the names of those that need not.

    A unit whose results nobody needs any more does not run, even if they are gone.
    """
    by_name = {unit.name: unit for unit in units}
    wanted: dict[str, Unit] = {}
    open_units = [unit for unit in targets if not unit.spec.is_done]
    while open_units:
        unit = open_units.pop()
        if unit.name in wanted:
            continue
        wanted[unit.name] = unit
        open_units += [by_name[name] for name in unit.needs if not by_name[name].spec.is_done]
    return [unit for unit in units if unit.name in wanted], by_name.keys() - wanted.keys()
