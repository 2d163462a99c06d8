"""The config of an experiment: the configs of its parts, joined."""

import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nasray.errors import UserError
from nasray.search_spaces.artefacts.columns import LATENCY_MS
from nasray.search_spaces.artefacts.criteria import BY_SCORE, BY_SWAP_IN, Criterion
from nasray.search_spaces.settings import SpaceConfig
from nasray.settings.evidence import EvidenceConfig
from nasray.settings.family import FamilyConfig
from nasray.settings.generations import LENGTH_FIELDS, DnaPlusConfig, check_generations
from nasray.settings.mistakes import described
from nasray.settings.resources import ResourcesConfig
from nasray.settings.storage import StorageConfig
from nasray.settings.study import StudyConfig, merged
from nasray.settings.sweeps import SweepConfig
from nasray.settings.tracking import TrackingConfig
from nasray.trainables.settings.block_wise import BlockWiseConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.settings.sd_darts import SdDartsConfig, without_other_teachers
from nasray.trainables.settings.teacher import TeacherConfig


class RankingConfig(BaseModel):
    """How far the ranking goes.

    Attributes:
        top: How many architectures it lists.
        time_limit_seconds: When it stops with the best found so far, and says by how much they may be beaten. A limit
            is needed only where few different ratings meet tight budgets, or blocks are dozens.
        num_resamples: How many rankings, each with the held-out batches weighed otherwise, tell how probably an
            architecture is among the best; 0: this is not told.
        by: What architectures are ranked by: "score", the sum of their blocks' ratings, or "swap_in", that of the
            ratings inside the teacher.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: int = Field(default=1000, ge=1)
    time_limit_seconds: float | None = Field(default=None, gt=0)
    num_resamples: int = Field(default=100, ge=0)
    by: Criterion = BY_SCORE


# What stands beside the runs in the storage's root.
_TAKEN = ("features", "mlflow.db", "mlflow-artifacts")
SearchConfig = BlockWiseConfig | DnaPlusConfig | SdDartsConfig


class ExperimentConfig(BaseModel):
    """All that an experiment is made from.

    Attributes:
        teacher: Needed by a search of the method "dna", or as the trunk of one of "dna_plus_plus".
        searches: The searches, one of a method; none where the members of a family study bring theirs.
        study: Compare settings of the SD-DARTS search, instead of running it once.
        family: Compare methods, each a search of its own, by one set of trained networks.
        retrain: Which architectures are trained for real once the searches are done; None: none. A study trains what it
            finds by settings of its own, `study.retrain`. A family study trains `sample` networks, drawn uniformly
            within the budgets, and what each of its searches found, which `top: 1` says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: DataConfig
    teacher: TeacherConfig | None = None
    search_space: SpaceConfig
    features: FeatureConfig = FeatureConfig()
    searches: tuple[Annotated[SearchConfig, Field(discriminator="method")], ...] = ()
    study: StudyConfig | None = None
    family: FamilyConfig | None = None
    retrain: EvidenceConfig | None = EvidenceConfig()
    budgets: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    ranking: RankingConfig = RankingConfig()
    compute: ComputeConfig = ComputeConfig()
    resources: ResourcesConfig = ResourcesConfig()
    storage: StorageConfig = Field(default_factory=StorageConfig)
    tracking: TrackingConfig = TrackingConfig()
    sweep: SweepConfig | None = None

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value in _TAKEN:
            raise UserError(f"must be none of {', '.join(_TAKEN)}, which stand beside the runs, got {value}")
        return value

    @field_validator("searches")
    @classmethod
    def _one_of_a_method(cls, value: tuple[SearchConfig, ...]) -> tuple[SearchConfig, ...]:
        methods = [search.method for search in value]
        if len(set(methods)) < len(methods):
            raise UserError(f"each method may stand once, got {', '.join(methods)}")
        if {"dna", "dna_plus_plus"} <= set(methods):
            raise UserError("only one of the methods dna and dna_plus_plus may stand in a config, got both")
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        self.resources.check_processes(self.compute.num_processes)
        if self.family is not None:
            self._check_family()
        elif not self.searches:
            raise UserError("searches must list at least one search, got none")
        if self.dna is not None and self.teacher is None:
            raise UserError("teacher must be given for a search of the method dna or dna_plus_plus, got none")
        if self.dna_plus is not None:
            others = [search for search in self.searches if search is not self.dna_plus]
            check_generations(
                self.dna_plus,
                self.teacher,
                self.retrain,
                others,
                self.budgets,
                has_sweep=self.sweep is not None,
            )
        if self.dna is None and self.family is None and self.budgets:
            raise UserError("budgets must go with a search of the method dna, whose ranking keeps them")
        if self.dna is not None and self.ranking.by == BY_SWAP_IN and not self.dna.rating.swap_in_images:
            raise UserError(
                "ranking.by: swap_in must go with ratings inside the teacher: set rating.swap_in_images above 0"
            )
        if self.retrain is not None and self.dna is None and self.retrain.needs_search:
            raise UserError(
                "retrain.init: inherited and retrain.distillation must go with a search of the method dna, whose "
                "blocks and teacher they use"
            )
        if self.retrain is not None and self.dna is not None and self.retrain.top > self.ranking.top:
            raise UserError(
                f"retrain.top must be at most ranking.top, {self.ranking.top}, got {self.retrain.top}"
            )
        taught = None if self.retrain is None else self.retrain.distillation
        if taught is not None and taught.multi_step and (self.teacher is None or self.teacher.train is None):
            raise UserError(
                "retrain.distillation.multi_step must go with a teacher that the search trains: give teacher.train"
            )
        if self.study is not None:
            self._check_study(self.study)
        return self

    def _check_study(self, study: StudyConfig) -> None:
        """Hold what stands beside the section `study` to what it needs.

        Raises:
            UserError: There is no search to be studied, an arm changes what it has not, or trainings are asked for
                that none will do.
        """
        if self.sd_darts is None:
            raise UserError("study must go with a search of the method sd_darts, got none")
        if self.dna is None and self.retrain not in (None, EvidenceConfig()):
            raise UserError(
                "retrain must be left out where a study stands without a search of the method dna: what the study "
                "finds is trained by study.retrain"
            )
        for arm in study.arms:
            self.arm(arm)

    def _check_family(self) -> None:
        """Hold what stands beside the section `family` to what it needs.

        Raises:
            UserError: There is a search, a study, a sweep or a budget of latency, or networks are not trained as the
                family's must be.
        """
        if self.searches or self.study is not None or self.sweep is not None:
            raise UserError(
                "family must stand without searches, study and sweep: its members have searches of their own"
            )
        if LATENCY_MS in self.budgets:
            raise UserError(
                f"budgets.{LATENCY_MS} must be left out of a family study: latencies are measured on a finished run"
            )
        if self.retrain is None or self.retrain.top != 1 or not self.retrain.sample:
            raise UserError(
                "retrain must train the first of each ranking and a sample in a family study: set retrain.top to 1 and "
                "retrain.sample to 1 or more"
            )

    @property
    def dna(self) -> BlockWiseConfig | None:
        """The settings of the block-wise search, of DNA, DNA+ or DNA++, if there is one."""
        return next((search for search in self.searches if not isinstance(search, SdDartsConfig)), None)

    @property
    def dna_plus(self) -> DnaPlusConfig | None:
        """The settings of the generations, if there are several of the search `dna`."""
        return next((search for search in self.searches if isinstance(search, DnaPlusConfig)), None)

    @property
    def sd_darts(self) -> SdDartsConfig | None:
        """The settings of the SD-DARTS search, if there is one."""
        return next((search for search in self.searches if search.method == "sd_darts"), None)

    def arm(self, name: str) -> SdDartsConfig:
        """The settings of the SD-DARTS search in an arm of the study.

        Raises:
            UserError: The arm's changes are no settings of the search.
        """
        assert self.study is not None
        assert self.sd_darts is not None
        try:
            changes = self.study.arms[name]
            settings = merged(without_other_teachers(self.sd_darts.model_dump(mode="json"), changes), changes)
            return SdDartsConfig.model_validate_json(json.dumps(settings), strict=True)
        except ValidationError as error:
            detail = error.errors()[0]
            where = ".".join(map(str, ("study.arms", name, *detail["loc"])))
            if detail["type"] == "extra_forbidden":
                raise UserError(f"{where}: must be a key of the search, got {detail['input']!r}") from None
            raise UserError(f"{where}: {described(detail)}") from None

    def differences(self, other: "ExperimentConfig") -> list[str]:
        """What differs in the parts that a result depends on, as lines "key: this -> other"."""
        ours, theirs = (
            flatten(config.model_dump(mode="json", exclude=_NOT_IN_RESULTS)) for config in (self, other)
        )
        return [
            f"{key}: {ours.get(key)} -> {theirs.get(key)}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ]


# Where a run lies, what it may use and how it is shown or cut do not change its results; studies and the evidence
# only have more or fewer of them.
_NOT_IN_RESULTS: Any = {
    "budgets": True,
    "compute": {"num_workers"},
    "family": True,
    "ranking": True,
    "resources": True,
    "retrain": True,
    "searches": {"__all__": set(LENGTH_FIELDS)},
    "storage": True,
    "study": True,
    "sweep": True,
    "tracking": True,
    "data": {"root"},
}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested plain data as one level of dotted keys."""
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        pairs = enumerate(value)  # type: ignore[assignment]
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in pairs:
        flat |= flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return flat
