"""A generation as a search of its own: its config and its folder."""

from nasray.methods.dna_plus.settings import OWN_FIELDS, DnaPlusConfig
from nasray.methods.nested import nested_config
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.settings.teacher import TeacherConfig


def generation_config(config: ExperimentConfig, number: int, parent: str | None = None) -> ExperimentConfig:
    """The config of a generation, which is a DNA search in the folder `generation_<number>` below the whole one's.

    Args:
        config: The config of all generations.
        number: Which one, from 1.
        parent: The best architecture of the generation before; None: there was none, the config's teacher teaches.
    """
    plain = config.model_dump(mode="json")
    (search,) = plain["searches"]
    plain["searches"] = [
        {key: value for key, value in search.items() if key not in OWN_FIELDS} | {"method": "dna"}
    ]
    if parent is not None:
        plain["teacher"] = next_teacher(config, parent).model_dump(mode="json")
    tags = {"search": config.name, "generation": str(number)}
    return nested_config(config, plain, generation_name(number), tags)


def generation_name(number: int) -> str:
    """Name of a generation's run and folder."""
    return f"generation_{number}"


def next_teacher(config: ExperimentConfig, parent: str) -> TeacherConfig:
    """The teacher that is made of a generation's best architecture."""
    (search,) = config.searches
    assert isinstance(search, DnaPlusConfig)
    assert config.teacher is not None
    return TeacherConfig(
        source="architecture",
        architecture=parent,
        scaling=search.scaling,
        train=search.teacher_train or config.teacher.train,
    )
