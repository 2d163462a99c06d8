"""The units that fill the feature cache: one per shard, and one that says that all are there."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

from nasray.trainables.core.trainable import Metrics
from nasray.trainables.features.cache import FeatureStore
from nasray.trainables.inputs import SearchInputs, UnitSpec
from nasray.trainables.settings.features import SplitName, boundaries_of
from nasray.trainables.teacher.unit import TeacherResult, TeacherSpec


class FeaturesSpec(UnitSpec):
    """A split whose features are wanted. They are done when they are in the cache, which other runs share."""

    inputs: SearchInputs
    split: SplitName

    @property
    def store(self) -> FeatureStore | None:
        """Their place in the cache; None as long as there is no teacher to be known by."""
        if not TeacherSpec.of(self.inputs).is_done:
            return None
        return feature_store(self.inputs, TeacherResult.read(self.inputs.teacher_folder), self.split)


class FeatureShardSpec(FeaturesSpec):
    """Compute one shard of a split's features."""

    kind: Literal["features"] = "features"
    shard: int

    def run(self) -> Iterator[Metrics]:
        """See `run_feature_shard`."""
        return run_feature_shard(self)

    @property
    def is_done(self) -> bool:
        """Whether the shard is there, here or, as the manifest says, elsewhere; the manifest's unit looks at it."""
        store = self.store
        return store is not None and (store.complete or store.has_shard(self.shard))


class FeatureManifestSpec(FeaturesSpec):
    """See to the shards of a split's features and say that they are complete."""

    kind: Literal["manifest"] = "manifest"

    def run(self) -> Iterator[Metrics]:
        """See `run_feature_manifest`."""
        return run_feature_manifest(self)

    @property
    def is_done(self) -> bool:
        """Whether all shards are there."""
        store = self.store
        return store is not None and store.complete


def run_feature_shard(spec: FeatureShardSpec) -> Iterator[Metrics]:
    """Compute one shard, unless it is there."""
    teacher = TeacherResult.read(spec.inputs.teacher_folder)
    store = feature_store(spec.inputs, teacher, spec.split)
    if not store.complete:
        store.write_shard(spec.shard, teacher.load(spec.inputs))
    yield {"shard": spec.shard}


def run_feature_manifest(spec: FeatureManifestSpec) -> Iterator[Metrics]:
    """See that all shards are whole and write the manifest, unless it is there."""
    teacher = TeacherResult.read(spec.inputs.teacher_folder)
    store = feature_store(spec.inputs, teacher, spec.split)
    if not store.complete:
        store.finish(partial(teacher.load, spec.inputs))
    yield {"num_shards": store.num_shards}


def feature_store(inputs: SearchInputs, teacher: TeacherResult, split: SplitName) -> FeatureStore:
    """The store of a split's features, for the blocks that read them from the cache."""
    images = inputs.images.train if split == "train" else inputs.images.held_out
    boundaries = boundaries_of(inputs.features.modes)
    return FeatureStore(
        inputs.features_root,
        teacher.fingerprint,
        images,
        boundaries,
        inputs.features,
        inputs.compute,
        inputs.data_digest,
    )
