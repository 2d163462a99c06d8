import ast
import inspect

from nasray.exporting.source.lookup_table import without_unused
from nasray.exporting.source.recording import record
from nasray.search_spaces.cells import cell_operations
from nasray.search_spaces.cells.nasbench201 import nasbench201

SOURCE = inspect.getsource(cell_operations)
STATEMENTS = {
    ast.unparse(statement.target): statement
    for statement in ast.parse(SOURCE).body
    if isinstance(statement, ast.AnnAssign)
}


def cut(name, architecture):
    space = nasbench201((1, 8, 8), 2, channels=4, num_cells=1)
    recording = record(lambda: space.build(architecture), (1, 8, 8))
    return without_unused(name, STATEMENTS[name], cell_operations, SOURCE, recording)


def test_only_entries_that_took_part():
    architecture = (
        "|skip_connect~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    text = cut("_FREE_MAPS", architecture)
    assert text == (
        "_FREE_MAPS: dict[str, Callable[[int], nn.Module]] = {\n"
        "    SKIP: lambda _: nn.Identity(),\n"
        '    "avg_pool_3x3": lambda stride: nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),\n'
        "}"
    )
    text = cut("_BRANCHES", architecture)
    assert text == (
        "_BRANCHES: dict[str, Branch] = {\n"
        '    **{f"nor_conv_{k}x{k}": partial(convolution, kernel_size=k) for k in (1, 3)},\n'
        "}"
    )


def test_a_table_of_which_nothing_took_part():
    text = cut(
        "_FREE_MAPS",
        "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    )
    assert text == "_FREE_MAPS: dict[str, Callable[[int], nn.Module]] = {}"
