"""Costs of architectures: what each is called, where it comes from, and how it is told.

A cost adds up over the blocks of an architecture, and the lower it is, the better. Each is one entry here: what lists,
joins, bounds or shows costs goes by these entries, and what counts or measures one is imported where it is used.
"""

from dataclasses import dataclass

from nasray.search_spaces.artefacts.columns import LATENCY_MS, NUM_MACS, NUM_PARAMS


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a cost is measured on a finished run.

    Attributes:
        command: The command that does it: `nasray <command> RUN`.
        folder: The folder in the run's that it leaves, with a table per cell.
        figures: The file in that folder which says how it was measured; written last.
        figure_keys: What this file holds at least.
        one: What it measures of a candidate, in the singular.
        many: The same in the plural; in a ranking's certificate, the key of the tables' digests.
    """

    command: str
    folder: str
    figures: str
    figure_keys: tuple[str, ...]
    one: str
    many: str


@dataclass(frozen=True, slots=True)
class CostKind:
    """A cost: counted of a module, or measured on a finished run.

    Attributes:
        name: Its column in tables, and its key among the budgets.
        unit: What it is a number of, such as "parameters".
        noun: The same in a figure or a sentence, where space is short.
        heading: Above its column on a report page.
        short: Above its column on the terminal.
        whole: Whether it is a whole number.
        counter: Of a counted cost: the function that counts it, as "module:function", see
            `nasray.search_spaces.costs.counters`.
        example: Of a counted cost: a bound on it, as on the command line.
        measurement: Of a measured cost: how it is measured.
        is_late: Whether tables of earlier versions lack it.
    """

    name: str
    unit: str
    noun: str
    heading: str
    short: str
    whole: bool = True
    counter: str | None = None
    example: str = "5M"
    measurement: Measurement | None = None
    is_late: bool = True

    @property
    def flag(self) -> str:
        """The option of `nasray rank` that bounds it."""
        return f"--max-{self.name.removeprefix('num_').replace('_', '-')}"


COSTS = {
    cost.name: cost
    for cost in (
        CostKind(
            NUM_PARAMS,
            unit="parameters",
            noun="parameters",
            heading="params",
            short="params",
            counter="nasray.search_spaces.costs.counters:num_params",
            is_late=False,
        ),
        CostKind(
            NUM_MACS,
            unit="multiply-accumulates",
            noun="MACs",
            heading="MACs",
            short="macs",
            counter="nasray.search_spaces.costs.counters:num_macs",
            example="400M",
            is_late=False,
        ),
        CostKind(
            LATENCY_MS,
            unit="milliseconds",
            noun="milliseconds of latency",
            heading="latency ms",
            short="ms",
            whole=False,
            measurement=Measurement(
                command="latency",
                folder="latency",
                figures="latency.json",
                figure_keys=("device", "clock", "scale"),
                one="latency",
                many="latencies",
            ),
        ),
    )
}
"""Every cost by its name."""


def counted_costs() -> list[CostKind]:
    """The costs that are counted, in the order of their columns."""
    return [cost for cost in COSTS.values() if cost.counter is not None]


def measured_costs() -> dict[CostKind, Measurement]:
    """The costs that are measured on finished runs."""
    return {cost: cost.measurement for cost in COSTS.values() if cost.measurement is not None}


def cost_kind(name: str) -> CostKind:
    """The cost of a name; of any other column that adds up, one that is called like it."""
    text = name.removeprefix("num_")
    return COSTS.get(name) or CostKind(name, text, text, heading=text.replace("_", " "), short=text)
