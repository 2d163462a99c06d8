"""The settings of a sweep: what varies, what is aimed at, how trials are chosen."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nasray.errors import UserError

Value = bool | int | float | str | None


class Domain(BaseModel):
    """The values that one key of the config may take: a range of numbers, or choices.

    Attributes:
        low: Smallest number; the range is of whole numbers where `low`, `high` and `step` are.
        high: Largest number, within the range.
        log: Whether the range is searched evenly in the logarithm.
        step: Distance of neighbouring numbers, counted from `low`; None: 1 for whole numbers, else any distance.
        choices: The values, where they are no range.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = Field(default=None, gt=0)
    choices: tuple[Value, ...] | None = Field(default=None, min_length=2)

    @model_validator(mode="after")
    def _range_or_choices(self) -> "Domain":
        if self.choices is not None:
            if self.log or any(number is not None for number in (self.low, self.high, self.step)):
                raise UserError("choices must stand alone, without low, high, log and step")
            if len(set(map(repr, self.choices))) < len(self.choices):
                raise UserError(f"choices must differ, got {list(self.choices)}")
            return self
        if self.low is None or self.high is None:
            raise UserError("must have low and high, or choices")
        if not self.low < self.high:
            raise UserError(f"low must be less than high, got low {self.low} and high {self.high}")
        if self.log and self.low <= 0:
            raise UserError(f"low must be greater than 0 where log is true, got {self.low}")
        if self.log and self.step is not None:
            raise UserError(f"step must be left out where log is true, got {self.step}")
        if self.step is not None and (_decimal(self.high) - _decimal(self.low)) % _decimal(self.step):
            raise UserError(
                f"high must be a number of steps from low, got {self.low} to {self.high} by {self.step}"
            )
        return self

    @property
    def is_whole(self) -> bool:
        """Whether the range is of whole numbers."""
        return not any(isinstance(number, float) for number in (self.low, self.high, self.step))

    @property
    def extremes(self) -> tuple[Value, ...]:
        """Both ends of the range, or all choices: where these are allowed, so is what lies between."""
        return self.choices if self.choices is not None else (self.low, self.high)


class SweepConfig(BaseModel):
    """A search for the settings of one unit of work.

    Attributes:
        unit: The unit that each trial trains, such as "block_1/3x24" or "teacher"; or an architecture that is trained
            for real, as "retrain/2x16:mb3k3,skip/...".
        objectives: The metrics to minimise or maximise, of those that the unit reports; the last report counts. With
            asha, of those that it reports after every epoch. None of the test images, which settings must not be
            chosen by.
        domains: Where each key of the config is searched, by the key as in an override: "searches.0.lr".
        num_trials: Trials of all launches together, whether they ended well, were pruned, or failed.
        sampler: "tpe", "nsga2" or "random"; "auto": TPE for one objective, NSGA-II for several.
        population_size: Trials of one generation of NSGA-II.
        scheduler: "asha" ends trials early that fall behind others after as many epochs; for one objective alone. It
            compares the trials of one launch.
        grace_epochs: Epochs that ASHA leaves every trial.
        reduction_factor: ASHA lets the best 1 / `reduction_factor` go on to `reduction_factor` times the epochs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    objectives: dict[str, Literal["min", "max"]] = Field(min_length=1)
    domains: dict[str, Domain] = Field(min_length=1)
    num_trials: int = Field(default=20, ge=1)
    sampler: Literal["auto", "tpe", "nsga2", "random"] = "auto"
    population_size: int = Field(default=10, ge=2)
    scheduler: Literal["none", "asha"] = "none"
    grace_epochs: int = Field(default=1, ge=1)
    reduction_factor: int = Field(default=3, ge=2)

    @field_validator("objectives")
    @classmethod
    def _not_of_test_images(cls, value: dict[str, str]) -> dict[str, str]:
        for metric in value:
            if metric.startswith("test_"):
                held_out = metric.replace("test_", "held_out_", 1)
                raise UserError(
                    f"must leave the test images to the final evaluation, got {metric}: take {held_out}"
                )
        return value

    @model_validator(mode="after")
    def _asha_has_one_objective(self) -> "SweepConfig":
        if self.scheduler == "asha" and len(self.objectives) > 1:
            raise UserError(
                f"scheduler must be none where there are several objectives, got asha with {', '.join(self.objectives)}"
            )
        return self

    @property
    def metrics(self) -> list[str]:
        """The objectives' names in the order of the study's values: sorted, however the config has them."""
        return sorted(self.objectives)

    @property
    def modes(self) -> list[str]:
        """The direction of each of `metrics`, "min" or "max"."""
        return [self.objectives[metric] for metric in self.metrics]


def _decimal(number: float) -> Decimal:
    """The number as it is written, free of binary fractions' errors."""
    return Decimal(str(number))
