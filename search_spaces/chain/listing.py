"""The limit of what is listed: every candidate of a block, one by one."""

from nasray.errors import UserError
from nasray.search_spaces.chain.block import BlockSpace

MOST_ROWS = 5_000_000
"""Of a block's candidate table: some gigabytes."""


def check_listable(k: int, block: BlockSpace, num_entries: int) -> None:
    """Count a block's candidates before anything lists them.

    Args:
        k: The block's number, for the message.
        block: The block.
        num_entries: At how many widths it may be entered, for each of which every candidate has a row.

    Raises:
        UserError: They are too many; the text names the largest cell.
    """
    num_rows = num_entries * block.num_candidates
    if num_rows <= MOST_ROWS:
        return
    largest = max(block.cells, key=lambda cell: cell.num_candidates)
    entered = f", entered at {num_entries} widths" if num_entries > 1 else ""
    raise UserError(
        f"block {k} must have at most {MOST_ROWS:,} candidates, each of which is listed and rated, got {num_rows:,}: "
        f"cell {largest.name} alone has {largest.num_candidates:,}{entered}; give it fewer layers or operations, or "
        "make two blocks of it"
    )
