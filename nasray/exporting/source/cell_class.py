"""The classes of found cells, with each node's sum written out."""

from nasray.exporting.source.expressions import Call, layout
from nasray.exporting.source.recording import Creation
from nasray.search_spaces.cells.cell_network import edge_stride
from nasray.search_spaces.cells.cell_type import CellType
from nasray.search_spaces.cells.genotype import ONLY_CELL, CellGenotype


class CellClasses:
    """The classes that stand for a network's `DiscreteCell`s.

    Attributes:
        texts: The source of each class by its name; it names `nn`, `torch` and `operation`.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def call(self, creation: Creation) -> Call:
        """The expression that stands for the making of a `DiscreteCell`; its class is kept in `texts`."""
        cell_type: CellType = creation.arguments["cell_type"]
        name = "Cell" if cell_type.name == ONLY_CELL else f"{cell_type.name.title().replace('_', '')}Cell"
        self.texts[name] = _class_text(name, cell_type, creation.arguments["genotype"])
        return Call(name, (("", str(creation.arguments["channels"])),))


def _class_text(name: str, cell_type: CellType, genotype: CellGenotype) -> str:
    """The source of a cell's class; the modules have the names that they have in `DiscreteCell`."""
    inputs = [f"x{number}" for number in range(cell_type.num_inputs)]
    parameters = ", ".join(f"{x}: torch.Tensor" for x in inputs)
    nodes = [f"x{cell_type.num_inputs + number}" for number in range(len(genotype.nodes))]
    result = f"torch.cat([{', '.join(nodes)}], dim=1)" if cell_type.output == "concat" else nodes[-1]
    text = "\n".join(f"    {line}" for line in str(genotype).replace("+", "+\n").splitlines())
    return f'''class {name}(nn.Module):
    """The cell that was found; its nodes are

{text}
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.operations = {_operations(cell_type, genotype)}

    def forward(self, {parameters}) -> torch.Tensor:
        """The cell's output for its inputs, each [B, channels, H, W]: each node sums its edges."""
        edges = self.operations
{_sums(nodes, genotype)}
        return {result}'''


def _operations(cell_type: CellType, genotype: CellGenotype) -> str:
    edges = [edge for node in genotype.nodes for edge in node]
    calls = tuple(
        (
            "",
            f'operation("{edge.operation}", channels, channels, stride={edge_stride(cell_type, edge.source)})',
        )
        for edge in edges
    )
    return layout(Call("nn.ModuleList", (("", Call("", calls, "[]")),)), indent=8, taken=18)


def _sums(nodes: list[str], genotype: CellGenotype) -> str:
    """A line per node."""
    lines, position = [], 0
    for node, edges in zip(nodes, genotype.nodes, strict=True):
        terms = [f"edges[{position + number}](x{edge.source})" for number, edge in enumerate(edges)]
        lines.append(f"        {node} = {' + '.join(terms)}")
        position += len(edges)
    return "\n".join(lines)
