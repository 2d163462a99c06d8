"""The unit of an SD-DARTS search: a supernet trained with its alphas, and the architecture that is found."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.files.atomic_file import write_json
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.reported import Reported
from nasray.trainables.core.seeding import seed_global_generators
from nasray.trainables.core.trainable import CHECKPOINT_PARTS, Metrics, train
from nasray.trainables.inputs import UnitInputs, UnitSpec
from nasray.trainables.sd_darts.halves import Halves
from nasray.trainables.sd_darts.sharpness.measurement import Measurement
from nasray.trainables.sd_darts.step import SdDarts, reported
from nasray.trainables.sd_darts.supernets.cell_supernet import MixedCellSupernet
from nasray.trainables.sd_darts.supernets.chain_supernet import ChainSupernet
from nasray.trainables.sd_darts.supernets.supernet import Supernet
from nasray.trainables.sd_darts.voting.self_distillation import SelfDistillation
from nasray.trainables.sd_darts.voting.teachers import build_teachers
from nasray.trainables.settings.sd_darts import SdDartsConfig

FOUND_FILE = "found.json"
# What is drawn at random does not depend on the unit's name, so that arms of a study with one seed start alike.
_SEED_NAME = "sd_darts"


class SdDartsSpec(UnitSpec):
    """Search a space by its differentiable supernet.

    Attributes:
        config: How.
    """

    kind: Literal["sd_darts"] = "sd_darts"
    config: SdDartsConfig

    def run(self) -> Iterator[Metrics]:
        """See `run_sd_darts`."""
        return run_sd_darts(self)

    @property
    def tracked(self) -> dict[str, Any]:
        """The space, and how it is searched."""
        return {"space": self.inputs.search_space.source, **self.config.model_dump(mode="json")}

    @property
    def reported(self) -> Reported:
        """The figures of the search."""
        return reported(self.config)

    @property
    def chosen_epoch(self) -> int:
        """The epoch whose architecture was found."""
        return Found.read(self.folder).epoch

    @property
    def outputs(self) -> tuple[Path, ...]:
        """What was found."""
        return (self.folder / FOUND_FILE,)


@dataclass(frozen=True, slots=True)
class Found:
    """What an SD-DARTS search leaves.

    Attributes:
        architecture: Canonical text of the architecture.
        epoch: The epoch, from 1, after which the alphas stood for it.
        num_params: Its parameters.
        num_macs: Its multiply-accumulates for one image.
        weights: The weight of each choice after that epoch, by the name of its alpha.
    """

    architecture: str
    epoch: int
    num_params: int
    num_macs: int
    weights: dict[str, list[Any]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `run_sd_darts` left in the unit's folder.

        Raises:
            FileNotFoundError: The search is not finished.
        """
        return cls(**json.loads((folder / FOUND_FILE).read_text(encoding="utf-8")))


def run_sd_darts(spec: SdDartsSpec) -> Iterator[Metrics]:
    """Metrics of the search, epoch by epoch; leaves what it found in the unit's folder."""
    inputs = spec.inputs
    seed_global_generators(inputs.seed, _SEED_NAME, "start")
    supernet = place_module(
        inputs.compute, build_supernet(inputs.space, allow_none=spec.config.allow_none), inputs.device
    )
    method = build_method(supernet, inputs, spec.config, spec.folder / CHECKPOINT_PARTS)
    yield from train(method, spec.folder, seed=inputs.seed, name=_SEED_NAME, inputs=spec.fingerprint)
    architecture = method.architectures[method.chosen_epoch]
    cost = inputs.space.cost(architecture)
    weights = method.choice_weights[method.chosen_epoch]
    found = Found(architecture, method.chosen_epoch + 1, cost.num_params, cost.num_macs, weights)
    write_json(spec.folder / FOUND_FILE, asdict(found))


def build_supernet(space: SearchSpace | CellSpace, *, allow_none: bool = True) -> Supernet:
    """The differentiable supernet of a space, freshly initialised from the global generators."""
    if isinstance(space, SearchSpace):
        return ChainSupernet(space)
    return MixedCellSupernet(space, allow_none=allow_none)


def build_method(supernet: Supernet, inputs: UnitInputs, config: SdDartsConfig, snapshots: Path) -> SdDarts:
    """The search of a supernet; `snapshots` is the folder for the teachers' files."""
    halves = Halves(inputs.images, inputs.compute, seed=inputs.seed)
    measurement = Measurement(halves, inputs.images, config.measure, inputs.compute, seed=inputs.seed)
    distillation = None
    if config.teachers is not None:
        teachers = build_teachers(
            config.teachers,
            supernet,
            snapshots,
            num_images=halves.num_train,
            num_classes=inputs.images.num_classes,
        )
        distillation = SelfDistillation(teachers, config.teachers)
    return SdDarts(supernet, halves, measurement, distillation, config)
