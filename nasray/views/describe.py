"""The output of `nasray inspect`: a teacher's possible cut points, a space's blocks."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from nasray.analysis.numerals import quantity
from nasray.errors import UserError
from nasray.inputs.shared import planned_inputs
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import CELL
from nasray.search_spaces.artefacts.costs import counted_costs
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.uncounted import lower_bounds, uncounted_operators
from nasray.settings.loading import load_config
from nasray.trainables.cutting.cut_points import cut_points, why_so_few
from nasray.trainables.inputs import SearchInputs, UnitInputs
from nasray.trainables.trials.operation_trial import try_operations
from nasray.trainables.trials.teacher_trial import TriedTeacher, try_teacher


def print_teacher(config: str | None, overrides: Sequence[str], console: Console) -> None:
    """Print the submodules at which the config's teacher can be cut, and which cuts are proposed."""
    inputs = _inputs(config, overrides)
    if not isinstance(inputs, SearchInputs):
        raise UserError(
            "the config must have a search of the method dna, which a teacher is for; it has none"
        )
    tried, mistake = _tried(inputs)
    console.print(str(tried), soft_wrap=True)
    table = Table(title=f"Teacher {inputs.teacher.source}", title_justify="left", box=None)
    for heading in ("", "cut point", "features", "params so far", "MACs so far"):
        table.add_column(heading, justify="right" if "so far" in heading else "left")
    points = cut_points(tried.model, inputs.space.input_shape)
    for point in points:
        shape = "x".join(map(str, point.shape))
        mark = "*" if point.proposed else ""
        table.add_row(mark, point.name, shape, quantity(point.num_params), quantity(point.num_macs))
    console.print(table)
    if mistake:
        console.print(mistake, soft_wrap=True)
    proposed = ", ".join(point.name for point in points if point.proposed)
    if not proposed:
        console.print(f"none is proposed: {why_so_few(tried.model) or 'no size changes'}", soft_wrap=True)
        return
    console.print(f"* proposed, the last before the size changes: teacher.cuts: [{proposed}]", soft_wrap=True)


def _tried(inputs: SearchInputs) -> tuple[TriedTeacher, str]:
    """The trial of the teacher, with the config's own cuts where they can be made, and else why they cannot."""
    if inputs.teacher.cuts == "auto":
        return try_teacher(inputs, cuts=False), ""
    try:
        return try_teacher(inputs), ""
    except UserError as error:  # where it is the whole teacher's, the trial without cuts says it again
        return try_teacher(inputs, cuts=False), str(error)


def print_space(config: str | None, overrides: Sequence[str], console: Console) -> None:
    """Print the config's search space: its parts with their choices, and how many architectures there are."""
    space = _inputs(config, overrides).space
    tried = None if isinstance(space, CellSpace) else try_operations(space)
    if tried is not None:
        console.print(tried, soft_wrap=True)
    if isinstance(space, CellSpace):
        _print_cells(space, console)
    else:
        _print_blocks(space, console)
    console.print(f"{space.num_architectures:,} architectures")
    if isinstance(space, SearchSpace):
        uncounted = set[str]().union(*map(uncounted_operators, space.candidate_tables()))
        if uncounted:
            console.print(lower_bounds(uncounted), soft_wrap=True)
        for name, architecture in (("smallest", space.smallest()), ("largest", space.largest())):
            counts = space.cost(architecture).counts
            costs = [f"{quantity(counts[cost.name])} {cost.heading}" for cost in counted_costs()]
            console.print(f"{name}: {', '.join(costs)}")


def _print_blocks(space: SearchSpace, console: Console) -> None:
    """Print a chain's blocks, with their cells, numbers of candidates, ranges of cost."""
    table = Table(title=f"Space {space.name}", title_justify="left", box=None)
    costs = [cost.heading for cost in counted_costs()]
    for heading in ("block", "cell", "entered at", "output", "candidates", *costs):
        table.add_column(heading, justify="right" if heading == "candidates" else "left")
    for block, choices in enumerate(space.blocks):
        candidates = space.candidate_table(block)
        for cell in choices.cells:
            rows = candidates[candidates[CELL] == cell.name]
            table.add_row(
                str(block),
                cell.name,
                " or ".join(map(str, space.entry_widths(block))),
                "x".join(map(str, space.block_output_shape(block, cell.width))),
                f"{cell.num_candidates:,}",
                *(
                    f"{quantity(rows[cost.name].min())} to {quantity(rows[cost.name].max())}"
                    for cost in counted_costs()
                ),
            )
    console.print(table)


def _print_cells(space: CellSpace, console: Console) -> None:
    """Print the kinds of cells, with the choices of each edge."""
    title = f"Space {space.name}: {space.channels} channels, {space.num_cells} cells"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("cell", "node", "from", "operations"):
        table.add_column(heading, overflow="fold")
    for cell_type in space.cell_types:
        for edge in cell_type.edges:
            is_input = edge.source < cell_type.num_inputs
            source = f"input {edge.source}" if is_input else f"node {edge.source - cell_type.num_inputs}"
            table.add_row(cell_type.name, str(edge.node), source, " ".join(edge.operations))
    console.print(table)


def _inputs(config: str | None, overrides: Sequence[str]) -> UnitInputs:
    loaded = load_config(config, overrides)
    return planned_inputs(loaded, RunFolder.of(loaded))
