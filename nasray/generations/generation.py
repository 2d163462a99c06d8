"""A generation as a search of its own: its config and its folder."""

import os

from nasray.config import ExperimentConfig
from nasray.config_file import load_config
from nasray.generations.config import OWN_FIELDS
from nasray.mlflow_place import tracking_uri
from nasray.storage.store import join_url
from trainables.teacher import TeacherConfig


def generation_config(config: ExperimentConfig, number: int, parent: str | None = None) -> ExperimentConfig:
    """The config of a generation, which is a DNA search in the folder `generation_<number>` below the whole one's.

    Args:
        config: The config of all generations.
        number: Which one, from 1.
        parent: The best architecture of the generation before; None: there was none, the config's teacher teaches.
    """
    plain = config.model_dump(mode="json")
    (search,) = plain["searches"]
    plain["name"] = generation_name(number)
    plain["searches"] = [
        {key: value for key, value in search.items() if key not in OWN_FIELDS} | {"method": "dna"}
    ]
    if parent is not None:
        plain["teacher"] = next_teacher(config, parent).model_dump(mode="json")
    storage = config.storage
    url = None if storage.url is None else join_url(storage.url, config.name)
    plain["storage"] |= {
        "root": url or str(storage.folder / config.name),
        "staging": None if storage.staging is None else str(storage.staging / config.name),
    }
    # All generations' runs stand in one database; a server's address, which may hold a password, stays where it is.
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        plain["tracking"]["uri"] = tracking_uri(config)
    plain["tracking"]["tags"] |= {"search": config.name, "generation": str(number)}
    return load_config(plain)


def generation_name(number: int) -> str:
    """Name of a generation's run and folder."""
    return f"generation_{number}"


def next_teacher(config: ExperimentConfig, parent: str) -> TeacherConfig:
    """The teacher that is made of a generation's best architecture."""
    search = config.dna_plus
    assert search is not None
    assert config.teacher is not None
    return TeacherConfig(
        source="architecture",
        architecture=parent,
        scaling=search.scaling,
        train=search.teacher_train or config.teacher.train,
    )
