"""The settings of a comparison: arms, spaces and seeds, and how what they find is judged."""

import copy
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import RANDOM, TRIVIAL
from nasray.search_spaces.settings import SpaceConfig
from nasray.settings.overrides import set_value
from nasray.trainables.settings.training import TrainConfig

T = TypeVar("T")
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def different(value: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers, held to differ."""
    if len(set(value)) < len(value):
        raise UserError(f"must differ, got {', '.join(map(str, value))}")
    return value


def _names_are_folders(value: dict[str, T]) -> dict[str, T]:
    for name in value:
        if not name.replace("_", "").replace("-", "").isalnum():
            raise UserError(f'names must be made of letters, digits, "_" and "-", got {name!r}')
    return value


Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(different)]
Named = Annotated[dict[str, T], AfterValidator(_names_are_folders)]


class JudgeConfig(BaseModel):
    """How networks are trained for real to judge what arms found, all in the same way.

    Attributes:
        train: The training.
        training_seeds: Each network is trained with each of them; they decide initial weights, order and augmentation.
        seed: Decides the split of the images and which networks are drawn. None: what a search found is judged on the
            split of that search's own seed, so that pairs of one seed share all; then nothing is drawn.
        sample: So many networks, drawn uniformly from all within the budgets, are trained as well: how far the arms'
            scores agree with their accuracies is told beside trivial measures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: TrainConfig = TrainConfig()
    training_seeds: Seeds = (0,)
    seed: Seed | None = None
    sample: int = Field(default=0, ge=0)


class ComparisonConfig(BaseModel):
    """Which changes of one config are compared.

    Each arm is a whole search in each space with each seed, in a folder of its own.

    Attributes:
        seeds: They decide all of a search, its split of the images, too; arms are paired by them.
        arms: Per arm what differs from the config, as overrides: `searches.0.lr: 0.1`. The first one is that to which
            the others are compared.
        spaces: The spaces by name; empty: the config's own.
        judge: How what was found is trained for its accuracy; None: not at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Seeds
    arms: Named[dict[str, Any]] = Field(min_length=1)
    spaces: Named[SpaceConfig] = {}
    judge: JudgeConfig | None = JudgeConfig()


def arm_settings(
    whole: Mapping[str, Any], arm: str, *, space: str | None = None, seed: int | None = None
) -> dict[str, Any]:
    """The config of an arm as plain data, in the folder of the whole.

    Args:
        whole: The config of the comparison as plain data.
        arm: The arm's name.
        space: The name of its space; None: the config's own.
        seed: Its seed; None: the config's own.

    Raises:
        UserError: A key of the arm names no place in the config.
    """
    plain = copy.deepcopy(dict(whole)) | {"comparison": None}
    comparison = whole["comparison"]
    if space is not None:
        plain["search_space"] = copy.deepcopy(comparison["spaces"][space])
    if seed is not None:
        plain["seed"] = seed
    for key, value in comparison["arms"][arm].items():
        set_value(plain, key, copy.deepcopy(value))
    return plain


def check_arms(arms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What no arm may be called or change, since the comparison decides it for all: a sentence for each mistake."""
    decided = ("name", "seed", "comparison", "storage", "data.source", "data.root", "search_space", "sweep")
    taken = [
        f"comparison.arms.{arm} must have another name: a measure that stands beside the arms is called so"
        for arm in arms
        if arm in (RANDOM, *TRIVIAL)
    ]
    return taken + [
        f"comparison.arms.{arm} must not set {key}: {kept} is the same for all arms"
        for arm, changes in arms.items()
        for key in changes
        for kept in decided
        if key == kept or key.startswith(f"{kept}.")
    ]
