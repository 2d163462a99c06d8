"""The settings of a family study: which methods search, as changes of one config, and with which seeds."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nasray.errors import UserError
from nasray.settings.study import Named, Seeds, merged

_MAY_DIFFER = ("searches", "teacher", "features", "data", "retrain")


class FamilyConfig(BaseModel):
    """Which methods search the config's space, within its budgets, for one table of all.

    Each member is a whole search in a folder of its own. What it is judged by is common to all: a sample of networks,
    drawn uniformly from all within the budgets, and what each found, trained for real as the config's `retrain` says.

    Attributes:
        seeds: Each member searches with each of them; they decide all of a search, its split of the images, too.
        members: Per method, what differs from the config, in its form: `searches`, and where the method needs it
            `teacher`, `features`, `data.augment`, and `retrain`, which is null where it is not given. Budgets go along
            where there is a ranking to keep them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Seeds
    members: Named[dict[str, Any]] = Field(min_length=1)

    @field_validator("members")
    @classmethod
    def _is_comparable(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, changes in value.items():
            if not isinstance(changes.get("searches"), list) or not changes["searches"]:
                raise UserError(f"{name} must have a list searches of one search or more")
            others = [key for key in changes if key not in _MAY_DIFFER]
            if others:
                raise UserError(
                    f"{name} may differ in {', '.join(_MAY_DIFFER)}, got {others[0]}: all else is the same for all"
                )
            data = changes.get("data", {})
            if not isinstance(data, dict) or set(data) - {"augment"}:
                raise UserError(f"{name}.data may differ in augment alone, since all search the same images")
        return value


def member_settings(whole: dict[str, Any], name: str) -> dict[str, Any]:
    """The config of a member as plain data, in the folder and with the seed of the whole.

    Args:
        whole: The config of the study as plain data.
        name: The member's name.
    """
    changes = whole["family"]["members"][name]
    plain = merged(whole | {"family": None}, changes)
    if "retrain" not in changes:
        plain["retrain"] = None
    ranks = any(isinstance(one, dict) and one.get("method") != "sd_darts" for one in changes["searches"])
    return plain if ranks else plain | {"budgets": {}}
