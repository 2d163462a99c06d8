"""The config of an experiment: the configs of its parts, joined."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from nasray.errors import UserError
from nasray.search_spaces.artefacts.criteria import BY_SCORE, measured_criteria
from nasray.search_spaces.settings import SpaceConfig
from nasray.settings.comparison import ComparisonConfig, check_arms
from nasray.settings.evidence import EvidenceConfig
from nasray.settings.methods import Declaration, Search, declared
from nasray.settings.mistakes import mistake, refuse
from nasray.settings.resources import ResourcesConfig
from nasray.settings.storage import StorageConfig
from nasray.settings.sweeps import SweepConfig
from nasray.settings.tracking import TrackingConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig
from nasray.trainables.settings.method import MethodSettings
from nasray.trainables.settings.teacher import TeacherConfig


def _measured(criterion: str) -> str:
    """The name of a criterion that a search measures."""
    known = [one.name for one in measured_criteria()]
    if criterion not in known:
        raise UserError(f"must be one of {', '.join(known)}, got {criterion!r}")
    return criterion


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
    by: Annotated[str, AfterValidator(_measured)] = Field(
        default=BY_SCORE, examples=[one.name for one in measured_criteria()]
    )


# What stands beside the runs in the storage's root.
_TAKEN = ("features", "mlflow.db", "mlflow-artifacts")


class ExperimentConfig(BaseModel):
    """All that an experiment is made from.

    Attributes:
        teacher: Needed by searches whose units learn from one.
        searches: The searches, one of a method; none where the arms of a comparison bring theirs.
        comparison: Run the config with changes, spaces and seeds and compare what they find, instead of running it.
        retrain: Which architectures are trained for real once the searches are done; None: none.
        budgets: Upper bounds, inclusive, of costs of an architecture; the ranking keeps them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: DataConfig
    teacher: TeacherConfig | None = None
    search_space: SpaceConfig
    features: FeatureConfig = FeatureConfig()
    searches: tuple[Search, ...] = ()
    comparison: ComparisonConfig | None = None
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
    def _stand_beside_each_other(cls, value: tuple[MethodSettings, ...]) -> tuple[MethodSettings, ...]:
        methods = [search.method for search in value]
        if len(set(methods)) < len(methods):
            raise UserError(f"each method may stand once, got {', '.join(methods)}")
        ranking = [method for method in methods if declared(method).ranks]
        if len(ranking) > 1:
            raise UserError(f"only one search may rate all candidates, got {' and '.join(ranking)}")
        whole = [method for method in methods if declared(method).runs_searches]
        if whole and len(methods) > 1:
            raise UserError(
                f"{whole[0]} must be the only search, since it runs whole ones: give the others a config of their own"
            )
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        mistakes = [*self._mistakes_of_resources(), *self._mistakes()]
        refuse("the config", [mistake(text, {}) for text in mistakes])
        return self

    def _mistakes_of_resources(self) -> Iterator[str]:
        try:
            self.resources.check_processes(self.compute.num_processes)
        except UserError as error:
            yield str(error)

    def _mistakes(self) -> Iterator[str]:
        """What does not fit together, a sentence each."""
        if self.comparison is not None:
            if self.sweep is not None:
                yield "comparison must stand without sweep: its arms have searches of their own"
            yield from check_arms(self.comparison.arms)
            return  # each arm's config is held to the rest
        if not self.searches:
            yield "searches must list at least one search, got none"
        for search, declaration in self.declared:
            if declaration.needs_teacher and self.teacher is None:
                yield f"teacher must be given for a search of the method {search.method}, got none"
            yield from declaration.mistakes(search, self)
        if self.searches and not self.ranks and self.budgets:
            yield "budgets must go with a search that rates all candidates, such as dna, whose ranking keeps them"
        if self.retrain is not None:
            yield from self._mistakes_of_retrain(self.retrain)

    def _mistakes_of_retrain(self, retrain: EvidenceConfig) -> Iterator[str]:
        learns = any(one.trains_cells for _, one in self.declared)
        if retrain.needs_search and not learns:
            yield (
                "retrain.init: inherited and retrain.distillation must go with a search that trains blocks, such as "
                "dna, whose weights and teacher they use"
            )
        if self.ranks and retrain.top > self.ranking.top:
            yield f"retrain.top must be at most ranking.top, {self.ranking.top}, got {retrain.top}"
        taught = retrain.distillation
        if taught is not None and taught.multi_step and (self.teacher is None or self.teacher.train is None):
            yield "retrain.distillation.multi_step must go with a teacher that the search trains: give teacher.train"

    @property
    def declared(self) -> tuple[tuple[MethodSettings, Declaration], ...]:
        """The searches, each with the declaration of its method."""
        return tuple((search, declared(search.method)) for search in self.searches)

    @property
    def ranks(self) -> bool:
        """Whether a search rates all candidates, so that all architectures are ranked."""
        return any(declaration.ranks for _, declaration in self.declared)

    @property
    def needs_teacher(self) -> bool:
        """Whether units of a search learn from a teacher."""
        return any(declaration.needs_teacher for _, declaration in self.declared)

    def differences(self, other: "ExperimentConfig") -> list[str]:
        """What differs in the parts that a result depends on, as lines "key: this -> other"."""
        ours, theirs = (
            flatten(config.model_dump(mode="json", exclude=config._not_in_results()))
            for config in (self, other)
        )
        return [
            f"{key}: {ours.get(key)} -> {theirs.get(key)}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ]

    def _not_in_results(self) -> Any:
        lengths = {place: set(one.length_fields) for place, (_, one) in enumerate(self.declared)}
        return _NOT_IN_RESULTS | {"searches": lengths}


# Where a run lies, what it may use and how it is shown or cut do not change its results; comparisons and the evidence
# only have more or fewer of them.
_NOT_IN_RESULTS: Any = {
    "budgets": True,
    "compute": {"num_workers"},
    "comparison": True,
    "ranking": True,
    "resources": True,
    "retrain": True,
    "storage": True,
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
