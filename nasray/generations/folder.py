"""The files in the folder of all generations, and what commands say to it that want the folder of one search."""

from pathlib import Path

GENERATIONS, FIGURES = "generations.parquet", "generations.json"


def refuse_generations(run: Path) -> None:
    """Hold RUN to a folder of one search.

    Raises:
        ValueError: It is that of a search in generations.
    """
    if (run / FIGURES).is_file():
        raise ValueError(
            f"RUN must be one search, but {run} holds generations of them: give one of these, such as "
            f"{run / 'generation_1'}"
        )
