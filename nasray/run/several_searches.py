"""Folders that hold several searches: the files by which they are known, and what commands say that want one search."""

from pathlib import Path

from nasray.errors import UserError

GENERATIONS, GENERATIONS_FIGURES = "generations.parquet", "generations.json"
FAMILY, FAMILY_NETWORKS = "family.parquet", "family_networks.parquet"


def refuse_several(run: Path) -> None:
    """Hold RUN to a folder of one search.

    Raises:
        UserError: It is that of a search in generations, or of a family study.
    """
    if (run / GENERATIONS_FIGURES).is_file():
        several, such_as = "generations of them: give one of these", "generation_1"
    elif (run / FAMILY).is_file():
        several, such_as = "a study of several methods: give one of its searches", "<method>_seed_<seed>"
    else:
        return
    raise UserError(f"RUN must be one search, but {run} holds {several}, such as {run / such_as}")
