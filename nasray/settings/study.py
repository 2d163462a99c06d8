"""The settings of a study: several settings of one search, compared over seeds and spaces."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from nasray.errors import UserError
from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.settings.training import TrainConfig

T = TypeVar("T")


def _different(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise UserError(f"must differ, got {', '.join(map(str, value))}")
    return value


def _names_are_folders(value: dict[str, T]) -> dict[str, T]:
    for name in value:
        if not name.replace("_", "").replace("-", "").isalnum():
            raise UserError(f'names must be made of letters, digits, "_" and "-", got {name!r}')
    return value


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(min_length=1), AfterValidator(_different)
]
Named = Annotated[dict[str, T], AfterValidator(_names_are_folders)]


class StudyConfig(BaseModel):
    """Which settings of the SD-DARTS search are compared.

    Attributes:
        seeds: Each arm is run with each of them; arms of one seed have the same images, halves and initial weights.
        arms: Per arm, what differs from the search's settings, in the form of these.
        spaces: The spaces by name; empty: the config's own.
        retrain: How what each run finds is trained for its accuracy, by the run's seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Seeds
    arms: Named[dict[str, Any]] = Field(min_length=1)
    spaces: Named[SpaceConfig] = {}
    retrain: TrainConfig = TrainConfig()


def merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested settings with changes of the same form; lists are replaced as a whole."""
    result = dict(settings)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
