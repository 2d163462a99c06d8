"""The config of an experiment: the configs of its parts, joined."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from analysis.criterion import BY_SCORE, BY_SWAP_IN, Criterion
from nasray.evidence.config import EvidenceConfig
from nasray.mistakes import described
from nasray.study_config import StudyConfig, merged
from nasray.sweeps.config import SweepConfig
from search_spaces.declared import SpaceConfig
from trainables.block_distillation.config import BlockDistillationConfig
from trainables.data import DataConfig
from trainables.feature_cache import FeatureConfig
from trainables.sd_darts.config import SdDartsConfig
from trainables.teacher import TeacherConfig
from trainables.training import ComputeConfig


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


class ResourcesConfig(BaseModel):
    """What the schedule may use. A unit takes `compute.num_threads` CPUs.

    Attributes:
        gpus_per_unit: GPUs of a unit, a fraction where several share one.
        max_concurrent: Units at the same time; None: as many as the cluster's nodes hold now. A larger number makes a
            cluster that scales itself grow.
        max_failures: How often a unit whose process died is started again, from its last epoch.
        address: A Ray cluster's address; None: the one that this machine belongs to, else a local one; "local": always
            a local one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gpus_per_unit: float = Field(default=0, ge=0)
    max_concurrent: int | None = Field(default=None, ge=1)
    max_failures: int = Field(default=3, ge=0)
    address: str | None = None


class StorageConfig(BaseModel):
    """Where runs and features lie; on a cluster, a folder that all nodes see.

    Attributes:
        root: The run's folder is `root/<name>`. Not given: what NASRAY_STORAGE says, as a cluster's file sets it on its
            nodes, else "runs".
        features: Folder of the feature cache, shared by all runs; None: `root/features`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: Path = Field(default_factory=lambda: Path(os.environ.get("NASRAY_STORAGE") or "runs"))
    features: Path | None = None


class TrackingConfig(BaseModel):
    """Where MLflow keeps its runs.

    Attributes:
        uri: A tracking URI; None: MLFLOW_TRACKING_URI, else sqlite in the storage's root.
        experiment: MLflow's experiment; runs of one experiment are compared side by side.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str | None = None
    experiment: str = "nasray"

    @field_validator("uri")
    @classmethod
    def _holds_no_password(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).password is not None:
            raise ValueError(
                "must hold no password, since the config is kept beside the results, got one: set MLFLOW_TRACKING_URI, "
                "or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, in the environment instead"
            )
        return value


SearchConfig = BlockDistillationConfig | SdDartsConfig


class ExperimentConfig(BaseModel):
    """All that an experiment is made from.

    Attributes:
        teacher: Needed by a search of the method "dna" alone.
        searches: The searches, one of a method.
        study: Compare settings of the SD-DARTS search, instead of running it once.
        retrain: Which architectures are trained for real once the searches are done; None: none. A study trains what it
            finds by settings of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: DataConfig
    teacher: TeacherConfig | None = None
    search_space: SpaceConfig
    features: FeatureConfig = FeatureConfig()
    searches: tuple[Annotated[SearchConfig, Field(discriminator="method")], ...] = Field(min_length=1)
    study: StudyConfig | None = None
    retrain: EvidenceConfig | None = EvidenceConfig()
    budgets: dict[str, float] = {}
    ranking: RankingConfig = RankingConfig()
    compute: ComputeConfig = ComputeConfig()
    resources: ResourcesConfig = ResourcesConfig()
    storage: StorageConfig = Field(default_factory=StorageConfig)
    tracking: TrackingConfig = TrackingConfig()
    sweep: SweepConfig | None = None

    @field_validator("searches")
    @classmethod
    def _one_of_a_method(cls, value: tuple[SearchConfig, ...]) -> tuple[SearchConfig, ...]:
        methods = [search.method for search in value]
        if len(set(methods)) < len(methods):
            raise ValueError(f"each method may stand once, got {', '.join(methods)}")
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.dna is not None and self.teacher is None:
            raise ValueError("teacher must be given for a search of the method dna, got none")
        if self.dna is None and self.budgets:
            raise ValueError("budgets must go with a search of the method dna, whose ranking keeps them")
        if self.dna is not None and self.ranking.by == BY_SWAP_IN and not self.dna.rating.swap_in_images:
            raise ValueError(
                "ranking.by: swap_in must go with ratings inside the teacher: set rating.swap_in_images above 0"
            )
        if self.retrain is not None and self.dna is None and self.retrain.needs_search:
            raise ValueError(
                "retrain.init: inherited and retrain.distillation must go with a search of the method dna, whose "
                "blocks and teacher they use"
            )
        if self.retrain is not None and self.dna is not None and self.retrain.top > self.ranking.top:
            raise ValueError(
                f"retrain.top must be at most ranking.top, {self.ranking.top}, got {self.retrain.top}"
            )
        taught = None if self.retrain is None else self.retrain.distillation
        if taught is not None and taught.multi_step and (self.teacher is None or self.teacher.train is None):
            raise ValueError(
                "retrain.distillation.multi_step must go with a teacher that the search trains: give teacher.train"
            )
        if self.study is not None:
            if self.sd_darts is None:
                raise ValueError("study must go with a search of the method sd_darts, got none")
            for arm in self.study.arms:
                _check_taught(arm, self.arm(arm))
        return self

    @property
    def dna(self) -> BlockDistillationConfig | None:
        """The settings of the DNA search, if there is one."""
        return next((search for search in self.searches if search.method == "dna"), None)

    @property
    def sd_darts(self) -> SdDartsConfig | None:
        """The settings of the SD-DARTS search, if there is one."""
        return next((search for search in self.searches if search.method == "sd_darts"), None)

    def arm(self, name: str) -> SdDartsConfig:
        """The settings of the SD-DARTS search in an arm of the study.

        Raises:
            ValueError: The arm's changes are no settings of the search.
        """
        assert self.study is not None
        assert self.sd_darts is not None
        try:
            settings = merged(self.sd_darts.model_dump(mode="json"), self.study.arms[name])
            return SdDartsConfig.model_validate_json(json.dumps(settings), strict=True)
        except ValidationError as error:
            detail = error.errors()[0]
            where = ".".join(map(str, ("study.arms", name, *detail["loc"])))
            if detail["type"] == "extra_forbidden":
                raise ValueError(f"{where}: must be a key of the search, got {detail['input']!r}") from None
            raise ValueError(f"{where}: {described(detail)}") from None

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


# Where a run lies, what it may use and how it is shown or cut do not change its results; a study and the evidence only
# have more or fewer of them.
_NOT_IN_RESULTS: Any = {
    "budgets": True,
    "ranking": True,
    "resources": True,
    "retrain": True,
    "storage": True,
    "study": True,
    "sweep": True,
    "tracking": True,
    "data": {"root"},
}


def _check_taught(arm: str, settings: SdDartsConfig) -> None:
    """Refuse an arm whose teachers never have a say: it would be plain DARTS under another name.

    Raises:
        ValueError: The term begins after the last epoch.
    """
    teachers = settings.teachers
    if teachers is not None and teachers.start_epoch >= settings.epochs:
        raise ValueError(
            f"study.arms.{arm}.self_distillation.start_epoch must be less than epochs, {settings.epochs}, got "
            f"{teachers.start_epoch}"
        )


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
