"""Inputs of a unit of work, and the digest that its results belong to."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import BaseModel, ConfigDict

from nasray.errors import UserError
from nasray.search_spaces.build import build_space
from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.files.damage import file_checksum
from nasray.search_spaces.names.source_digests import source_digests
from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.core.compute import prepare
from nasray.trainables.core.reported import Reported
from nasray.trainables.core.trainable import Metrics, read_done
from nasray.trainables.data.identity import DataIdentity, sample_digest
from nasray.trainables.data.image_data import ImageData, load_data
from nasray.trainables.data.summary import DataSummary, published_summary, summarize
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig, SplitName
from nasray.trainables.settings.teacher import TeacherConfig, is_checkpoint

CHECKPOINT = "teacher.weights"
"""The name of the teacher's checkpoint among `UnitInputs.sources`."""


class UnitInputs(BaseModel):
    """The part of an experiment's config that every unit needs; plain data, so that any node can rebuild the rest.

    Attributes:
        data_digest: Of the data set's identity; None where that was not looked at, as in a plan without its files.
        data_sample: Digest of some of its images, by which every process sees whether it has the same ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    data: DataConfig
    search_space: SpaceConfig
    compute: ComputeConfig
    data_digest: str | None = None
    data_sample: str | None = None

    def without_teacher(
        self, seed: int | None = None, search_space: SpaceConfig | None = None
    ) -> "UnitInputs":
        """The part of the inputs that a unit without a teacher depends on, perhaps with another seed or space."""
        return UnitInputs(
            seed=self.seed if seed is None else seed,
            data=self.data,
            search_space=search_space or self.search_space,
            compute=self.compute,
            data_digest=self.data_digest,
            data_sample=self.data_sample,
        )

    def identified(self) -> Self:
        """The inputs with the data set's identity, for which all of it is read; it stays open.

        Raises:
            UserError: The data set is not at hand.
        """
        sample = sample_digest(self.images.source)
        return self.model_copy(update={"data_digest": self.identity.digest, "data_sample": sample})

    @cached_property
    def images(self) -> ImageData:
        """The data set, split.

        Raises:
            UserError: It is not at hand, or is another one than where the search was started.
        """
        images = load_data(self.data, self.seed)
        if self.data_sample not in (None, sample_digest(images.source)):
            raise UserError(
                "data.source and data.root must give the same images in every process and on every node, but here they "
                "are others than where the search was started: bring the same files to each node, and draw nothing at "
                "random without a seed"
            )
        return images

    @cached_property
    def identity(self) -> DataIdentity:
        """The data set's identity; all of it is read, but for files that are known to be as they were."""
        return DataIdentity.of(self.images.source)

    @cached_property
    def summary(self) -> DataSummary:
        """The data set's sizes, published ones where its files are not at hand."""
        try:
            return summarize(self.images)
        except ValueError:
            published = published_summary(self.data)
            if published is None:
                raise
            return published

    @cached_property
    def space(self) -> SearchSpace | CellSpace:
        """The search space for this data's images and classes."""
        return build_space(self.search_space, self.summary.input_shape, self.summary.num_classes)

    @cached_property
    def sources(self) -> dict[str, str]:
        """Digests of the files behind the config's names: of the user's modules, by "module <name>"."""
        return _module_digests(self._named_sources())

    @cached_property
    def device(self) -> torch.device:
        """The device of this process, prepared on first use."""
        return prepare(self.compute)

    def _named_sources(self) -> list[str]:
        return [self.data.source, self.search_space.source, *self.search_space.operations.values()]


class SearchInputs(UnitInputs):
    """What the units of a block-wise search need: a teacher and its features, too."""

    teacher: TeacherConfig
    features: FeatureConfig
    teacher_folder: Path
    features_root: Path

    @cached_property
    def space(self) -> SearchSpace:
        """The search space for this data's images and classes.

        Raises:
            UserError: It has no blocks in a row.
        """
        space = super().space
        if not isinstance(space, SearchSpace):
            raise UserError(
                f"search_space must be one of blocks in a row, to which a teacher can be cut, got {space.name}, which "
                "is one of cells: search it by sd_darts alone"
            )
        return space

    @cached_property
    def sources(self) -> dict[str, str]:
        """Digests of the files behind the config's names, the teacher's checkpoint, CHECKPOINT, among them."""
        digests = super().sources
        if is_checkpoint(self.teacher.weights):
            digests[CHECKPOINT] = hashlib.sha256(Path(str(self.teacher.weights)).read_bytes()).hexdigest()
        return digests

    @property
    def feature_rows(self) -> dict[SplitName, int]:
        """Rows of the feature cache per split."""
        num_images: dict[SplitName, int] = {
            "train": self.summary.num_train,
            "held_out": self.summary.num_held_out,
        }
        return {split: number * len(self.features.copies(split)) for split, number in num_images.items()}

    def _named_sources(self) -> list[str]:
        return [*super()._named_sources(), self.teacher.source]


class UnitSpec(BaseModel):
    """One unit of work: plain data that says what to do and where its results go.

    Attributes:
        kind: What sort of unit it is: a name that nasray knows, or "module:class" of a user's own.
        name: Unique in the search, such as "block_2/3x40".
        folder: The unit's own folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    name: str
    folder: Path
    inputs: UnitInputs

    def run(self) -> Iterator[Metrics]:
        """Do the work, from wherever an earlier attempt left off, and give the metrics of each epoch or of the whole.

        When it ends, all of `outputs` is there.
        """
        raise NotImplementedError

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that later units read."""
        return ()

    @property
    def num_processes(self) -> int:
        """In how many processes it runs: trainings in as many as the config says, all else in one."""
        return 1

    @property
    def named_code(self) -> tuple[str, ...]:
        """What it runs beside what its inputs name: of it, "module:attribute" is the user's own."""
        return (self.kind,)

    @property
    def tracked(self) -> dict[str, Any] | None:
        """What distinguishes it from others in MLflow, where it has a run; None: it has none."""
        return None

    @property
    def reported(self) -> Reported:
        """The figures that it reports, by which the settings of a tracked unit may be chosen."""
        return Reported()

    @property
    def method(self) -> str:
        """The method that it is a part of; of what no method owns, its kind."""
        return self.kind

    @property
    def reads_features_of(self) -> int | None:
        """The block whose teacher features it reads, from 0; None: it reads none."""
        return None

    @property
    def chosen_epoch(self) -> int | None:
        """Of a finished unit that stands for an earlier epoch than its last, that one, from 1; None: the last."""
        return None

    @cached_property
    def sources(self) -> dict[str, str]:
        """Digests of the files behind all names of what it runs, see `UnitInputs.sources`."""
        return self.inputs.sources | _module_digests(self.named_code)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that the results depend on; where files lie does not count, so that a run can be moved."""
        plain = _without_paths(self.model_dump())
        plain["inputs"]["compute"] = self.inputs.compute.arithmetic
        if CHECKPOINT in self.sources:
            del plain["inputs"]["teacher"]["weights"]  # the path of a file, whose content counts
        text = json.dumps([plain, self.sources], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def is_done(self) -> bool:
        """Whether the results are there, belong to these inputs, and are what was written."""
        return self._marker is not None and all(map(Path.exists, self.outputs)) and not self.damaged

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of what the unit computed on, see `device_name`; empty where it is not done for these inputs."""
        return tuple((self._marker or {}).get("devices", ()))  # markers of earlier versions have none

    @property
    def damaged(self) -> tuple[Path, ...]:
        """The outputs that have changed since the unit was done; empty where it is not done for these inputs."""
        written = (self._marker or {}).get("checksums", {})  # markers of earlier versions have none
        return tuple(
            path
            for path in self.outputs
            if path.name in written and path.exists() and _checksum(path) != written[path.name]
        )

    @property
    def _marker(self) -> dict[str, Any] | None:
        """The marker that the unit is done, where it is one for these inputs."""
        done = read_done(self.folder)
        return done if done is not None and done.get("inputs") == self.fingerprint else None


def _module_digests(names: Iterable[str]) -> dict[str, str]:
    """Digests of the user's modules among names, by "module <name>"."""
    found = source_digests(name for name in names if ":" in name)
    return {f"module {name}": digest for name, digest in found.items()}


def _checksum(path: Path) -> str:
    """A file's checksum; one that has not been touched since is not read twice in this process."""
    status = path.stat()
    return _checksum_at(path, status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _checksum_at(path: Path, inode: int, size: int, time_ns: int) -> str:
    return file_checksum(path)


def _without_paths(value: Any) -> Any:
    """Plain data without the entries that are paths."""
    if isinstance(value, dict):
        return {key: _without_paths(item) for key, item in value.items() if not isinstance(item, Path)}
    if isinstance(value, list | tuple):
        return [_without_paths(item) for item in value]
    return value
