"""The files in the folder of a family study, and what commands say to it that want the folder of one search."""

from pathlib import Path

FINDS, NETWORKS = "family.parquet", "family_networks.parquet"


def refuse_family(run: Path) -> None:
    """Hold RUN to a folder of one search.

    Raises:
        ValueError: It is that of a family study.
    """
    if (run / FINDS).is_file():
        raise ValueError(
            f"RUN must be one search, but {run} holds a study of several methods: give one of its searches, such as "
            f"{run}/<method>_seed_<seed>"
        )
