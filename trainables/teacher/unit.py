"""The teacher as a unit of work: built, trained where its config says so, cut, and kept for all other units."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from torch import nn

from nasray.errors import UserError
from nasray.search_spaces.files.atomic_file import write_json
from nasray.trainables.core.compute import place_module
from nasray.trainables.core.reported import Reported
from nasray.trainables.core.seeding import seed_global_generators
from nasray.trainables.core.trainable import Metrics, check_unchanged, train
from nasray.trainables.core.weights import save_weights
from nasray.trainables.cutting.cutting import CutTeacher, cut, resolve_cuts
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.settings.training import TrainConfig
from nasray.trainables.supervised.kept_epochs import KeptEpochs, epoch_weights, epochs_folder
from nasray.trainables.supervised.step import SupervisedTraining
from nasray.trainables.teacher.judgement import has_the_datas_classes, held_out_accuracy
from nasray.trainables.teacher.probe import Probe, check_probe, library_versions, take_probe
from nasray.trainables.teacher.teacher import build_teacher, build_untrained, fingerprint, load_weights

TEACHER_WEIGHTS = "weights.safetensors"
DESCRIPTION = "teacher.json"


class TeacherSpec(UnitSpec):
    """Build the teacher, train it if its config says so, cut it and keep it.

    Attributes:
        keep_epochs: Leave its weights after every epoch, too, for networks that learn from its past.
    """

    kind: Literal["teacher"] = "teacher"
    inputs: SearchInputs
    keep_epochs: bool = False

    @classmethod
    def of(cls, inputs: SearchInputs, *, keep_epochs: bool = False) -> Self:
        """The teacher's unit of a search."""
        return cls(name="teacher", folder=inputs.teacher_folder, inputs=inputs, keep_epochs=keep_epochs)

    def run(self) -> Iterator[Metrics]:
        """See `run_teacher`."""
        return run_teacher(self)

    @property
    def tracked(self) -> dict[str, Any]:
        """What the teacher is, and how it is trained."""
        return self.inputs.teacher.model_dump(mode="json")

    @property
    def reported(self) -> Reported:
        """The figures of its training; without one, of the judgement by its classes, where they are the data's."""
        if self.inputs.teacher.train is not None:
            return Reported.of_training(SupervisedTraining.after_epochs)
        return Reported(
            by_the_end=frozenset({"held_out_accuracy"} if has_the_datas_classes(self.inputs) else ())
        )

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Weights, of all epochs if they are kept, and description."""
        train = self.inputs.teacher.train
        num_kept = train.epochs if self.keep_epochs and train is not None else 0
        epochs = (epoch_weights(self.folder, epoch) for epoch in range(1, num_kept + 1))
        return self.folder / TEACHER_WEIGHTS, self.folder / DESCRIPTION, *epochs

    @property
    def num_processes(self) -> int:
        """As many as the config says, where there is something to train."""
        return 1 if self.inputs.teacher.train is None else self.inputs.compute.num_processes

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that the teacher depends on, which is the same whether its epochs are kept or not."""
        return type(self).of(self.inputs).fingerprint if self.keep_epochs else super().fingerprint


@dataclass(frozen=True, slots=True)
class TeacherResult:
    """What the teacher's unit leaves, beside the weights.

    Attributes:
        fingerprint: Content address of what the cut teacher computes.
        cuts: Names of the submodules at whose output the teacher is cut, one per block.
        feature_shapes: Shape of one image's features at boundary 0 (the image) to K, (C, H, W) each.
        held_out_accuracy: Share of held-out images that the teacher classifies rightly; None where its classes are
            not the data's.
        num_params: Parameters of the whole teacher.
        probe: What it computes from a fixed image.
        versions: Of the libraries that it was made with.
    """

    fingerprint: str
    cuts: tuple[str, ...]
    feature_shapes: tuple[tuple[int, ...], ...]
    held_out_accuracy: float | None
    num_params: int
    probe: Probe
    versions: dict[str, str]
    folder: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `run_teacher` left in `folder`.

        Raises:
            FileNotFoundError: The teacher is not finished.
        """
        found = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return cls(
            fingerprint=found["fingerprint"],
            cuts=tuple(found["cuts"]),
            feature_shapes=tuple(map(tuple, found["feature_shapes"])),
            held_out_accuracy=found["held_out_accuracy"],
            num_params=found["num_params"],
            probe=tuple(map(tuple, found["probe"])),
            versions=found["versions"],
            folder=folder,
        )

    def write(self) -> None:
        """Leave the description, which says that the weights beside it are complete."""
        description = asdict(self)
        del description["folder"]
        write_json(self.folder / DESCRIPTION, description)

    def load(self, inputs: SearchInputs, *, epoch: int | None = None) -> CutTeacher:
        """The teacher, cut, on the CPU, with its weights: those after an epoch, from 1, or else the final ones.

        Raises:
            UserError: The weights after that epoch were not kept, or they are damaged; or a library computes something
                else from the final ones than when they were made.
        """
        path = self.folder / TEACHER_WEIGHTS if epoch is None else epoch_weights(self.folder, epoch)
        if not path.is_file():
            raise UserError(
                f"the teacher's weights must be at {path}, there are none: run the search again, which trains it anew"
            )
        check_unchanged(self.folder, path)
        model = build_untrained(inputs.teacher, inputs.space)
        load_weights(model, path)
        teacher = cut(model, list(self.cuts), inputs.images.input_shape)
        if epoch is None:
            check_probe(teacher, self.probe, self.cuts, self.versions)
        return teacher


def check_finished_teacher(inputs: SearchInputs) -> None:
    """Hold a teacher that was made with other libraries to what it computed then; nothing where it is yet to be made.

    Raises:
        UserError: It computes something else here: what is added to the run would not belong to the rest.
    """
    if TeacherSpec.of(inputs).is_done:
        result = TeacherResult.read(inputs.teacher_folder)
        if result.versions != library_versions():
            result.load(inputs)


def run_teacher(spec: TeacherSpec) -> Iterator[Metrics]:
    """Metrics of the teacher's training, epoch by epoch; leaves weights and description in the unit's folder."""
    inputs = spec.inputs
    seed_global_generators(inputs.seed, "teacher")
    model = place_module(inputs.compute, build_teacher(inputs.teacher, inputs.space), inputs.device)
    if inputs.teacher.train is not None:
        method = _training(spec, model, inputs.teacher.train)
        yield from train(method, spec.folder, seed=inputs.seed, name=spec.name, inputs=spec.fingerprint)
        model = method.trained
    share_right = held_out_accuracy(model, inputs)
    model = model.cpu().eval()
    cuts = resolve_cuts(model, inputs.teacher.cuts, inputs.images.input_shape, len(inputs.space.blocks))
    teacher = cut(model, cuts, inputs.images.input_shape)
    save_weights(model, spec.folder / TEACHER_WEIGHTS)
    TeacherResult(
        fingerprint=_fingerprint(teacher),
        cuts=tuple(cuts),
        feature_shapes=tuple(map(tuple, teacher.feature_shapes)),
        held_out_accuracy=share_right,
        num_params=sum(parameter.numel() for parameter in model.parameters()),
        probe=take_probe(teacher),
        versions=library_versions(),
        folder=spec.folder,
    ).write()
    if share_right is not None:
        yield {"held_out_accuracy": share_right}


def _training(spec: TeacherSpec, model: nn.Module, config: TrainConfig) -> SupervisedTraining:
    """The teacher's training, which leaves the weights of its epochs if they are to be kept."""
    images, compute, seed = spec.inputs.images, spec.inputs.compute, spec.inputs.seed
    if spec.keep_epochs:
        return KeptEpochs(model, images, config, compute, seed=seed, folder=spec.folder)
    # Those of an earlier teacher must not be taken for this one's.
    shutil.rmtree(epochs_folder(spec.folder), ignore_errors=True)
    return SupervisedTraining(model, images, config, compute, seed=seed)


def _fingerprint(teacher: CutTeacher) -> str:
    """Content address of what the teacher computes: its weights, its modules with their settings, its pieces' code."""
    code = "".join(str(piece.code) for piece in teacher.pieces)
    return hashlib.sha256(f"{fingerprint(teacher)}{teacher}{code}".encode()).hexdigest()
