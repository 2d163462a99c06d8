"""The units that train an architecture for real and measure it on the test images."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from torch import nn

from nasray.errors import UserError
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.artefacts.columns import HELD_OUT_ACCURACY, TEST_ACCURACY
from nasray.search_spaces.chain.network import Network
from nasray.search_spaces.files.atomic_file import write_json
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.compute import place, place_module
from nasray.trainables.core.guards.notes import LOGGER
from nasray.trainables.core.reported import Reported
from nasray.trainables.core.seeding import generator, seed_global_generators
from nasray.trainables.core.trainable import Metrics, train
from nasray.trainables.core.weights import save_weights
from nasray.trainables.inputs import SearchInputs, UnitInputs, UnitSpec
from nasray.trainables.retrain.distillation import distances
from nasray.trainables.retrain.inheritance import inherit
from nasray.trainables.retrain.teaching import build_distillation
from nasray.trainables.retrain.zero_cost import NUM_IMAGES, zero_cost_proxies
from nasray.trainables.settings.training import RetrainConfig
from nasray.trainables.supervised.accuracy import accuracy
from nasray.trainables.supervised.step import SupervisedTraining

NETWORK = "network.safetensors"
RETRAINED = "retrained.json"
# Networks of one seed see the same batches in the same order, whatever their units are called.
_SEED_NAME = "retrain"


class RetrainSpec(UnitSpec):
    """Train an architecture on all training images.

    Attributes:
        inputs: Those of a search with a teacher, where weights are inherited or the teacher teaches.
        architecture: ID in a chain space, or a genotype's text.
        config: How it is trained.
        training_seed: Decides initial weights, order and augmentation; the split is that of the inputs' seed.
        targets: The cells of the DNA search, whose weights may be inherited; empty otherwise.
    """

    kind: Literal["retrain"] = "retrain"
    inputs: SearchInputs | UnitInputs
    architecture: str
    config: RetrainConfig
    training_seed: int = Field(ge=0)
    targets: tuple[CellTarget, ...] = ()

    def run(self) -> Iterator[Metrics]:
        """See `run_retrain`."""
        return run_retrain(self)

    @property
    def tracked(self) -> dict[str, Any]:
        """The architecture, and how it is trained."""
        own = {"architecture": self.architecture, "training_seed": self.training_seed}
        return own | self.config.model_dump(mode="json")

    @property
    def reported(self) -> Reported:
        """The figures of the training, and how far it is from the teacher's, if one teaches."""
        taught = self.config.distillation
        return Reported.of_training(
            [*SupervisedTraining.after_epochs, *(() if taught is None else distances(taught))]
        )

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The weights, and the architecture with its accuracies, costs and settings."""
        return self.folder / NETWORK, self.folder / RETRAINED

    @property
    def num_processes(self) -> int:
        """As many as the config says."""
        return self.inputs.compute.num_processes


def run_retrain(spec: RetrainSpec) -> Iterator[Metrics]:
    """Metrics of the training, epoch by epoch; the test images are looked at once, at the end.

    Raises:
        UserError: What the config asks for needs a teacher, or trained cells, that there are not.
    """
    # Seeds that share a split share no view of its images.
    first_view = spec.training_seed * spec.config.train.epochs
    yield from _train_and_test(
        spec, spec.architecture, spec.config, spec.training_seed, first_view, spec.targets
    )


def read_retrained(folder: Path) -> dict[str, Any]:
    """What a training left.

    `architecture`, `seed`, `test_accuracy` and `held_out_accuracy`, 0 to 1, the counted costs, the proxies
    `naswot` and `synflow` of the network before its first step (None: it has none that is finite), and `settings`, a
    `RetrainConfig`, how it was trained. Trainings of earlier versions have neither proxies nor settings; proxies are
    missing, too, where an operation fails in them.

    Raises:
        FileNotFoundError: The training is not finished.
    """
    return json.loads((folder / RETRAINED).read_text(encoding="utf-8"))


def _training(
    inputs: UnitInputs,
    architecture: str,
    config: RetrainConfig,
    seed: int,
    first_view: int = 0,
    targets: Sequence[CellTarget] = (),
) -> SupervisedTraining:
    """The training of the architecture's network, in its initial state."""
    network = _initial_network(inputs, architecture, config, seed, targets)
    distillation = None
    if config.distillation is not None:
        search = _with_teacher(inputs, "distillation")
        parsed, num_epochs = Architecture.parse(architecture), config.train.epochs
        distillation = build_distillation(search, parsed, config.distillation, num_epochs)
    return SupervisedTraining(
        network,
        inputs.images,
        config.train,
        inputs.compute,
        seed=seed,
        first_view=first_view,
        guide=distillation,
    )


def _initial_network(
    inputs: UnitInputs,
    architecture: str,
    config: RetrainConfig,
    seed: int,
    targets: Sequence[CellTarget],
) -> nn.Module:
    """The architecture's network before its first step, on the device."""
    seed_global_generators(seed, _SEED_NAME, "start")
    network = inputs.space.build(architecture)
    if config.init == "inherited":
        search = _with_teacher(inputs, "init: inherited")
        assert isinstance(network, Network)
        inherit(network, Architecture.parse(architecture), search.space, targets)
    return place_module(inputs.compute, network, inputs.device)


def _with_teacher(inputs: UnitInputs, key: str) -> SearchInputs:
    """The inputs, held to those of a search with a teacher."""
    if not isinstance(inputs, SearchInputs):
        raise UserError(
            f"{key} needs the teacher of a block-wise search (method: dna), got a space or a search without one: "
            "train from scratch and without distillation"
        )
    return inputs


def _train_and_test(
    spec: UnitSpec,
    architecture: str,
    config: RetrainConfig,
    seed: int,
    first_view: int = 0,
    targets: Sequence[CellTarget] = (),
) -> Iterator[Metrics]:
    """Metrics of each epoch and of the test; leaves weights and figures in the unit's folder."""
    inputs, metrics = spec.inputs, Metrics()
    method = _training(inputs, architecture, config, seed, first_view, targets)
    for metrics in train(method, spec.folder, seed=seed, name=_SEED_NAME, inputs=spec.fingerprint):
        yield metrics
    # Noise, which is an operation of one space, must not depend on whether the last epoch was run or told again.
    seed_global_generators(seed, _SEED_NAME, "test")
    test_accuracy = accuracy(method.trained, inputs.images.test, inputs.compute)
    save_weights(method.trained, spec.folder / NETWORK)
    result = {
        "architecture": architecture,
        "seed": seed,
        TEST_ACCURACY: test_accuracy,
        HELD_OUT_ACCURACY: metrics[HELD_OUT_ACCURACY],
        **inputs.space.cost(architecture).counts,
        **_proxies(inputs, _initial_network(inputs, architecture, config, seed, targets)),
        "settings": config.model_dump(mode="json"),
    }
    write_json(spec.folder / RETRAINED, result)
    yield {TEST_ACCURACY: test_accuracy}


def _proxies(inputs: UnitInputs, network: nn.Module) -> dict[str, float | None]:
    """The zero-cost proxies of a network before its first step, of all networks on the same training images."""
    images = inputs.images.train
    chosen = generator(inputs.seed, "zero_cost").permutation(len(images))[:NUM_IMAGES]
    batch = place(inputs.compute, images.images(chosen), inputs.device)
    try:
        return zero_cost_proxies(network, batch)
    except RuntimeError as error:  # an operation of a user's own may compute in float32 alone, say
        LOGGER.warning("the zero-cost proxies of %s could not be computed: %s", type(network).__name__, error)
        return {}
