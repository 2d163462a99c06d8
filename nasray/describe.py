"""What `nasray inspect` prints: a teacher's possible cut points, a space's blocks."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from nasray.config_file import load_config
from nasray.plan import search_inputs
from nasray.ranking_view import quantity
from nasray.run_folder import RunFolder
from search_spaces import rating_table
from trainables.cutting import cut_points
from trainables.inputs import SearchInputs
from trainables.teacher import build_teacher


def print_teacher(config: str | None, overrides: Sequence[str], console: Console) -> None:
    """Print the submodules at which the config's teacher can be cut, and which cuts are proposed."""
    inputs = _inputs(config, overrides)
    model = build_teacher(inputs.teacher.model_copy(update={"weights": None}), inputs.space)
    table = Table(title=f"Teacher {inputs.teacher.source}", title_justify="left", box=None)
    for heading in ("", "cut point", "features", "params so far", "MACs so far"):
        table.add_column(heading, justify="right" if "so far" in heading else "left")
    points = cut_points(model, inputs.space.input_shape)
    for point in points:
        shape = "x".join(map(str, point.shape))
        mark = "*" if point.proposed else ""
        table.add_row(mark, point.name, shape, quantity(point.num_params), quantity(point.num_macs))
    console.print(table)
    proposed = ", ".join(point.name for point in points if point.proposed)
    console.print(f"* proposed, the last before the size changes: teacher.cuts: [{proposed}]", soft_wrap=True)


def print_space(config: str | None, overrides: Sequence[str], console: Console) -> None:
    """Print the config's search space: blocks, cells, numbers of candidates, ranges of cost."""
    space = _inputs(config, overrides).space
    table = Table(title=f"Space {space.name}", title_justify="left", box=None)
    for heading in ("block", "cell", "entered at", "output", "candidates", "params", "MACs"):
        table.add_column(heading, justify="right" if heading == "candidates" else "left")
    for block, choices in enumerate(space.blocks):
        candidates = space.candidate_table(block)
        for cell in choices.cells:
            rows = candidates[candidates[rating_table.CELL] == cell.name]
            table.add_row(
                str(block),
                cell.name,
                " or ".join(map(str, space.entry_widths(block))),
                "x".join(map(str, space.block_output_shape(block, cell.width))),
                f"{cell.num_candidates:,}",
                *(
                    f"{quantity(rows[cost].min())} to {quantity(rows[cost].max())}"
                    for cost in (rating_table.NUM_PARAMS, rating_table.NUM_MACS)
                ),
            )
    console.print(table)
    smallest, largest = space.cost(space.smallest()), space.cost(space.largest())
    console.print(f"{space.num_architectures:,} architectures")
    console.print(f"smallest: {quantity(smallest.num_params)} params, {quantity(smallest.num_macs)} MACs")
    console.print(f"largest: {quantity(largest.num_params)} params, {quantity(largest.num_macs)} MACs")


def _inputs(config: str | None, overrides: Sequence[str]) -> SearchInputs:
    loaded = load_config(config, overrides)
    return search_inputs(loaded, RunFolder.of(loaded))
