"""A method of one's own: candidates are rated by how flat the minimum is that their trained weights lie in.

Source: after GeNAS (Jeong et al., arXiv 2305.08611), which ranks architectures by how flat their loss is under noise on
the weights; that it is done block by block, by the distance from a teacher's features, is this example's own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from nasray.inputs.units import data_units
from nasray.methods import Declaration, Method, MethodSettings
from nasray.methods.block_wise.plan import cell_targets, num_rows
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.trainables.block_wise.rate import CandidateRater, Rating
from nasray.trainables.block_wise.units.cell import BlockSpec, build_data, load_supernet, write_ratings
from nasray.trainables.block_wise.units.cell_target import CellTarget
from nasray.trainables.core.seeding import generator
from nasray.trainables.core.trainable import Metrics
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.settings.block_distillation import BlockDistillationConfig


class FlatnessSettings(MethodSettings):
    """What stands in a config's `searches`.

    Attributes:
        blocks: How the supernets are trained and on how many held-out batches candidates are rated.
        noise: Standard deviation of the noise on each weight tensor, as a share of the tensor's own.
        num_draws: How often it is drawn.
    """

    method: Literal["flatness:FLATNESS"] = "flatness:FLATNESS"
    blocks: BlockDistillationConfig = BlockDistillationConfig()
    noise: float = Field(default=0.05, gt=0)
    num_draws: int = Field(default=4, ge=1)


class FlatnessSpec(UnitSpec):
    """Rate all candidates of a trained cell."""

    kind: Literal["flatness:FlatnessSpec"] = "flatness:FlatnessSpec"
    inputs: SearchInputs
    target: CellTarget
    noise: float
    num_draws: int

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The cell's table of ratings."""
        return (self.target.table,)

    @property
    def reads_features_of(self) -> int:
        """The cell's block, for runs in a store: its features are brought to the node first."""
        return self.target.block

    def run(self) -> Iterator[Metrics]:
        """A rating is by how much noise on the weights moves a candidate's output further from the teacher's."""
        supernet = load_supernet(self.inputs, self.target)
        rater = CandidateRater(
            supernet, build_data(self.inputs, self.target.block), self.target.config.rating
        )
        plain = rater.rate(rater.walk.subtrees())
        rng = generator(self.inputs.seed, self.name)
        rises = [[0.0] * len(rating.batches) for rating in plain]
        for _ in range(self.num_draws):
            with noisy(supernet, self.noise, int(rng.integers(2**63))):
                for rise, before, after in zip(rises, plain, rater.rate(rater.walk.subtrees()), strict=True):
                    pairs = zip(before.batches, after.batches, strict=True)
                    rise[:] = [
                        total + (high - low) / self.num_draws
                        for total, (low, high) in zip(rise, pairs, strict=True)
                    ]
        ratings = [
            Rating(rating.path, tuple(rise), rating.failure)
            for rating, rise in zip(plain, rises, strict=True)
        ]
        write_ratings(self.inputs, self.target, supernet, ratings, self.target.table)
        yield {"num_rated": len(ratings)}


@contextmanager
def noisy(module: nn.Module, share: float, seed: int) -> Iterator[None]:
    """Within, each weight tensor has noise of a share of its own standard deviation; afterwards it is as before."""
    rng = torch.Generator().manual_seed(seed)
    weights = [parameter for parameter in module.parameters() if parameter.dim() > 1]
    before = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight in weights:
            noise = torch.randn(weight.shape, generator=rng).to(weight.device)
            weight.add_(share * weight.std() * noise)
    yield
    with torch.no_grad():
        for weight, kept in zip(weights, before, strict=True):
            weight.copy_(kept)


class Flatness(Method):
    """The method: what it needs, its units, and the tables that they leave."""

    declaration = Declaration(
        settings=FlatnessSettings, stages=("training", "flatness"), ranks=True, needs_teacher=True
    )

    def num_passes(self, search: FlatnessSettings) -> int:
        """How often features are read: once an epoch, and for each rating."""
        return search.blocks.epochs + search.num_draws + 1

    def units(
        self, search: FlatnessSettings, folder: RunFolder, inputs: SearchInputs
    ) -> Mapping[str, list[Unit]]:
        """Per cell its training, and behind that its rating."""
        trainings, ratings = [], []
        for target in cell_targets(search.blocks, folder, inputs):
            training = _training(folder, inputs, target)
            name = f"{training.name}/flatness"
            spec = FlatnessSpec(
                name=name,
                folder=folder.unit(name),
                inputs=inputs,
                target=target,
                noise=search.noise,
                num_draws=search.num_draws,
            )
            needs = data_units(inputs, target.block)
            trainings.append(Unit(training, needs))
            ratings.append(Unit(spec, (training.name, *needs)))
        return {"training": trainings, "flatness": ratings}

    def tables(self, search: FlatnessSettings, folder: RunFolder, inputs: SearchInputs) -> Mapping[Path, int]:
        """A table per cell, with a row per candidate and width at which the cell is entered."""
        targets = cell_targets(search.blocks, folder, inputs)
        return {target.table: num_rows(inputs, target) for target in targets}


def _training(folder: RunFolder, inputs: SearchInputs, target: CellTarget) -> BlockSpec:
    name = f"block_{target.block}/{target.cell}"
    return BlockSpec(name=name, folder=folder.unit(name), inputs=inputs, target=target, rate=False)


FLATNESS = Flatness()
