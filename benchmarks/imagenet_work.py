"""The units of an ImageNet DNA search (`configs/imagenet_dna.yaml`) and what each of them computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nasray.evidence.plan import retrain_specs, retrain_units
from nasray.inputs.shared import unit_inputs
from nasray.planning.plan import plan_search
from nasray.run.folder import RunFolder
from nasray.scheduling.unit import Unit
from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.artefacts.columns import CELL, NUM_MACS
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config
from nasray.trainables.block_wise.units.cell import BlockSpec, RatingSpec
from nasray.trainables.features.choice import prefix_macs
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.retrain.trainable import RetrainSpec
from nasray.trainables.settings.block_distillation import BlockDistillationConfig
from nasray.trainables.teacher.unit import TeacherSpec
from nasray.trainables.teacher.untrained import untrained_teacher


@dataclass(frozen=True, slots=True)
class Work:
    """What a unit computes.

    Attributes:
        images: Images that are read, decoded and augmented.
        teacher: Multiply-accumulates of the teacher.
        blocks: Those of supernets, trained and rated.
        networks: Those of whole networks' training.
    """

    images: float = 0.0
    teacher: float = 0.0
    blocks: float = 0.0
    networks: float = 0.0


class ImageNetSearch:
    """The search's plan for published sizes; the images themselves are not needed.

    Attributes:
        root: Below it its results would lie.
        config: Its config.
        teacher_macs: Multiply-accumulates of the teacher from an image to behind each block.
    """

    def __init__(self, root: Path) -> None:
        """Plan it as if its results were to lie below `root`, an absolute path."""
        self.root = root
        self.config: ExperimentConfig = load_config("imagenet_dna", [f"storage.root={root}"])
        self.folder = RunFolder.of(self.config)
        inputs = unit_inputs(self.config, self.folder)
        assert isinstance(inputs, SearchInputs)
        modes = ("online",) * len(inputs.space.blocks)  # fresh augmentation in every epoch
        features = inputs.features.model_copy(update={"mode": modes})
        compute = inputs.compute.model_copy(update={"num_workers": 0})  # a core for each GPU will do to sleep
        self.inputs = inputs.model_copy(update={"features": features, "compute": compute})
        self.teacher_macs = prefix_macs(untrained_teacher(self.inputs))

    @cached_property
    def search_units(self) -> list[Unit]:
        """The teacher, the cells and the parts of their ratings."""
        plan = plan_search(self.config, self.folder, self.inputs)
        return [unit for stage in plan.values() for unit in stage]

    def retraining_units(self, number: int) -> list[Unit]:
        """The training of so many architectures within the budgets; they stand for those that a ranking would give."""
        assert self.config.retrain is not None
        inputs = self.inputs.without_teacher()
        specs = [
            spec
            for architecture in self._architectures(number)
            for spec in retrain_specs(
                self.config.retrain, self.config, self.folder, inputs, str(architecture)
            )
        ]
        return list(retrain_units(specs, inputs))

    def work(self, unit: Unit) -> Work:
        """What the unit computes."""
        match unit.spec:
            case TeacherSpec():
                held_out = self.inputs.summary.num_held_out
                return Work(images=held_out, teacher=held_out * self.teacher_macs[-1])
            case BlockSpec() as spec:
                return self._cell(spec)
            case RatingSpec() as spec:
                return self._rating(spec, unit)
            case RetrainSpec() as spec:
                summary, epochs = self.inputs.summary, spec.config.train.epochs
                macs = self.inputs.space.cost(spec.architecture).num_macs
                seen = epochs * summary.num_held_out + summary.num_test
                trained = epochs * summary.num_train
                return Work(images=trained + seen, networks=macs * (3.0 * trained + seen))
            case _:
                return Work()

    def _architectures(self, number: int) -> Iterator[Architecture]:
        space, rng = self.inputs.space, np.random.default_rng(self.config.seed)
        found = 0
        while found < number:
            architecture = space.sample(rng)
            cost = space.cost(architecture)
            if all(getattr(cost, name) <= limit for name, limit in self.config.budgets.items()):
                found += 1
                yield architecture

    def _cell(self, spec: BlockSpec) -> Work:
        """Epochs of training, each with its evaluation; the rating where it is not left to others."""
        summary, config = self.inputs.summary, spec.target.config
        images = config.epochs * (summary.num_train + summary.num_held_out)
        forwards = config.epochs * (
            3.0 * summary.num_train + config.num_evaluation_paths * summary.num_held_out
        )
        work = Work(
            images=images,
            teacher=images * self.teacher_macs[spec.target.block],
            blocks=forwards * self._macs(spec.target.block, spec.target.cell).mean(),
        )
        return _sum(work, self._rated(spec.target.block, spec.target.cell, 1)) if spec.rate else work

    def _rating(self, spec: RatingSpec, unit: Unit) -> Work:
        """A part of a cell's rating, cut by the first layer."""
        cells = {cell.name: cell for cell in self.inputs.space.blocks[spec.target.block].cells}
        num_entries = len(self.inputs.space.entry_widths(spec.target.block))
        num_parts = num_entries * len(cells[spec.target.cell].operations[0])
        return self._rated(spec.target.block, spec.target.cell, num_parts)

    def _rated(self, block: int, cell: str, num_parts: int) -> Work:
        """The rating of one of `num_parts` parts of a cell's candidates.

        A node of the prefix tree is evaluated on all held-out images and, in each pass over some of them, on the
        calibration images; the tree has, per candidate, little more than one layer. Inside the teacher, its later
        blocks run for every candidate.
        """
        (search,) = self.config.searches
        assert isinstance(search, BlockDistillationConfig)
        rating, macs = search.rating, self._macs(block, cell)
        held_out = self.inputs.summary.num_held_out
        num_passes = -(-held_out // rating.images_per_pass)
        depth = int(cell.partition("x")[0])
        images = 2 * held_out + rating.calibration_images  # once for the targets' scale, once to be rated
        rest = self.teacher_macs[-1] - self.teacher_macs[block]
        return Work(
            images=images,
            teacher=images * self.teacher_macs[block] + len(macs) / num_parts * rating.swap_in_images * rest,
            blocks=macs.sum() / depth / num_parts * (held_out + num_passes * rating.calibration_images),
        )

    def _macs(self, block: int, cell: str) -> np.ndarray:
        """Multiply-accumulates of the candidates of a cell, at each width at which it may be entered."""
        table = self.inputs.space.candidate_table(block)
        return table.loc[table[CELL] == cell, NUM_MACS].to_numpy(float)


def _sum(one: Work, other: Work) -> Work:
    return Work(
        one.images + other.images,
        one.teacher + other.teacher,
        one.blocks + other.blocks,
        one.networks + other.networks,
    )
