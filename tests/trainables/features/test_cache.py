import json

import numpy as np
import pytest
import torch

from nasray.trainables.data.image_data import load_data
from nasray.trainables.features.cache import CachedFeatures, FeatureStore
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig, boundaries_of

COMPUTE = ComputeConfig(device="cpu")


@pytest.fixture(scope="module")
def images():
    config = DataConfig(num_train_images=50, num_held_out_images=20, augment={"crop_padding": 1})
    return load_data(config, seed=0)


@pytest.fixture
def store(tmp_path, images):
    def build(split=images.train, boundaries=(0, 1, 2, 3), fingerprint="teacher", **settings):
        config = FeatureConfig(mode=("cached",) * 3, shard_rows=16, batch_size=10, **settings)
        return FeatureStore(tmp_path, fingerprint, split, boundaries, config, COMPUTE)

    return build


def fill(store, teacher):
    for shard in range(store.num_shards):
        store.write_shard(shard, teacher)
    return store.finish(lambda: teacher)


def fresh(teacher, split, boundary, positions, view=None):
    with torch.no_grad():
        return teacher.features(split.images(positions, view=view), up_to=3)[boundary]


def test_cached_features_are_the_fresh_ones(store, teacher, images):
    written = store()
    num_bytes = fill(written, teacher)
    assert num_bytes == 50 * 4 * sum(np.prod(shape) for shape in teacher.feature_shapes)
    cached = CachedFeatures(written, lambda: teacher)
    positions = np.array([49, 3, 17, 3, 16])
    for boundary in range(4):
        expected = fresh(teacher, images.train, boundary, positions)
        torch.testing.assert_close(cached.read(boundary, positions), expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_features_that_were_announced_are_the_same(store, teacher, dtype):
    written = store(dtype=dtype)
    fill(written, teacher)
    announced, other = (CachedFeatures(written, lambda: teacher) for _ in range(2))
    positions = np.array([49, 3, 17])
    announced.announce(2, positions)
    assert torch.equal(announced.read(2, positions), other.read(2, positions))


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 1e-2), ("float16", 2e-3)])
def test_smaller_types_halve_the_bytes(store, teacher, images, dtype, tolerance):
    written = store(dtype=dtype)
    assert fill(written, teacher) == 50 * 2 * sum(np.prod(shape) for shape in teacher.feature_shapes)
    found = CachedFeatures(written, lambda: teacher).read(2, np.arange(50))
    expected = fresh(teacher, images.train, 2, np.arange(50))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    assert found.dtype == torch.float32


def test_views_are_augmented_copies(store, teacher, images):
    written = store(views=2)
    fill(written, teacher)
    cached = CachedFeatures(written, lambda: teacher)
    positions = np.array([5, 40])
    for view in range(2):
        expected = fresh(teacher, images.train, 1, positions, view=view)
        torch.testing.assert_close(cached.read(1, cached.rows(positions, view)), expected)
    assert not torch.equal(cached.read(0, positions), cached.read(0, positions + 50))
    np.testing.assert_array_equal(cached.rows(positions, 5), positions + 50)  # the sixth epoch sees view 1


@pytest.mark.parametrize("views", [None, 0, 1])
def test_one_copy_stands_for_all_views(store, teacher, views):
    written = store(views=views)
    fill(written, teacher)
    cached = CachedFeatures(written, lambda: teacher)
    for view in (0, 3):
        np.testing.assert_array_equal(cached.rows(np.array([5, 40]), view), [5, 40])


def test_held_out_images_are_plain_and_then_in_the_views_that_are_compared(store, teacher, images):
    written = store(split=images.held_out, views=3, held_out_views=2)
    fill(written, teacher)
    cached = CachedFeatures(written, lambda: teacher)
    positions = np.arange(20)
    found = {view: cached.read(3, cached.rows(positions, view)) for view in (None, 0, 1)}
    for view, features in found.items():
        torch.testing.assert_close(features, fresh(teacher, images.held_out, 3, positions, view=view))
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[None], found[0])


def test_the_place_depends_on_all_that_the_features_depend_on(store, images):
    variants = [
        store(),
        store(fingerprint="other"),
        store(split=images.held_out),
        store(boundaries=(0, 1)),
        store(views=2),
        store(split=images.held_out, held_out_views=2),
        store(dtype="float16"),
    ]
    assert len({variant.folder for variant in variants}) == len(variants)
    assert store().folder == variants[0].folder


def test_features_without_a_manifest_are_not_read(store, teacher):
    written = store()
    written.write_shard(0, teacher)
    assert not written.complete
    with pytest.raises(FileNotFoundError, match="must hold a manifest"):
        CachedFeatures(written, lambda: teacher)


def test_an_interrupted_write_is_resumed(store, teacher):
    written = store()
    for shard in range(2):
        written.write_shard(shard, teacher)
    assert [written.has_shard(shard) for shard in range(3)] == [True, True, False]
    before = {path: path.stat().st_mtime_ns for path in written.folder.rglob("*.npy")}
    fill(written, teacher)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def lose(path):
    path.unlink()


DAMAGES = [flip_a_byte, truncate, lose]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_shard_that_was_damaged_before_all_were_there_is_computed_anew(store, teacher, damage):
    written = store()
    for shard in range(written.num_shards):
        written.write_shard(shard, teacher)
    path = written.folder / "boundary_2" / "1.npy"
    before = path.read_bytes()
    damage(path)
    written.finish(lambda: teacher)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["boundary_2/1.npy", "shard_1.json"])
def test_what_is_damaged_later_is_computed_anew_by_its_reader_who_says_so(
    store, teacher, damage, name, caplog
):
    written = store()
    fill(written, teacher)
    before = {path: path.read_bytes() for path in written.folder.rglob("*.*")}
    rows = np.arange(50)
    expected = CachedFeatures(written, lambda: teacher).read(2, rows)
    damage(written.folder / name)
    assert torch.equal(CachedFeatures(written, lambda: teacher).read(2, rows), expected)
    assert {path: path.read_bytes() for path in before} == before
    assert caplog.messages == [
        f"{written.folder}/boundary_2/1.npy was damaged: it is kept as 1.npy.damaged, and computed anew"
    ]


def test_what_is_whole_is_not_computed_again(store, teacher):
    written = store()
    fill(written, teacher)
    features = CachedFeatures(written, lambda: pytest.fail("the teacher was asked for"))
    features.read(2, np.arange(50))


def test_the_manifest_says_what_the_features_are(store, teacher):
    written = store(boundaries=(2, 3))
    fill(written, teacher)
    manifest = json.loads((written.folder / "manifest.json").read_text())
    assert manifest["boundaries"] == [2, 3]
    assert manifest["teacher"] == "teacher"


def test_boundaries_are_those_beside_cached_blocks():
    assert boundaries_of(("cached", "online", "cached")) == (0, 1, 2, 3)
    assert boundaries_of(("online", "online", "cached")) == (2, 3)
    assert boundaries_of(("online",)) == ()
