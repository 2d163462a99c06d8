"""The units that train an architecture for real, from scratch, and measure it on the test images."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from search_spaces.atomic_file import write_json
from trainables.accuracy import accuracy
from trainables.inputs import UnitSpec
from trainables.retrain.config import TrainConfig
from trainables.retrain.step import SupervisedTraining
from trainables.sd_darts.trainable import Found, SdDartsSpec
from trainables.seeding import seed_global_generators
from trainables.trainable import Metrics, train

RETRAINED = "retrained.json"
TEST_ACCURACY = "test_accuracy"
# Networks of one seed see the same batches in the same order, whatever their units are called.
_SEED_NAME = "retrain"


class RetrainFoundSpec(UnitSpec):
    """Train what a search has found, on all training images, those of both halves."""

    kind: Literal["retrain_found"] = "retrain_found"
    search: SdDartsSpec
    config: TrainConfig

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The architecture with its accuracy."""
        return (self.folder / RETRAINED,)


def run_retrain_found(spec: RetrainFoundSpec) -> Iterator[Metrics]:
    """Metrics of the training, epoch by epoch; the test images are looked at once, at the end."""
    inputs = spec.inputs
    architecture = Found.read(spec.search.folder).architecture
    seed_global_generators(inputs.seed, _SEED_NAME, "start")
    network = inputs.space.build(architecture)
    network = inputs.compute.place_module(network, inputs.device)
    method = SupervisedTraining(network, inputs.images, spec.config, inputs.compute, seed=inputs.seed)
    yield from train(method, spec.folder, seed=inputs.seed, name=_SEED_NAME, inputs=spec.fingerprint)
    # Noise, which is an operation of one space, must not depend on whether the last epoch was run or told again.
    seed_global_generators(inputs.seed, _SEED_NAME, "test")
    test_accuracy = accuracy(network, inputs.images.test, inputs.compute)
    write_json(spec.folder / RETRAINED, {"architecture": architecture, TEST_ACCURACY: test_accuracy})
    yield {TEST_ACCURACY: test_accuracy}


def read_retrained(folder: Path) -> dict[str, str | float]:
    """What `run_retrain_found` left: the architecture, and its accuracy on the test images, 0 to 1.

    Raises:
        FileNotFoundError: The training is not finished.
    """
    return json.loads((folder / RETRAINED).read_text(encoding="utf-8"))
