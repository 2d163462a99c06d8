from nasray.search_spaces.chain.mbconv import digits
from nasray.search_spaces.costs.cost import measure
from nasray.trainables.cutting.cutting import cut
from nasray.trainables.features.choice import Speeds, choose_modes, feature_bytes, measure_speeds, prefix_macs
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.features import FeatureConfig

MB, GB = 10**6, 10**9
BYTES = [1 * MB, 4 * MB, 2 * MB, 1 * MB]  # early maps are big
MACS = [100 * MB, 500 * MB, 900 * MB]  # and their part of the teacher is cheap


def speeds(**changes):
    return Speeds(**{"read_bytes": 500 * MB, "teacher_macs": 20 * GB, "free_bytes": 1000 * GB} | changes)


def test_cheap_prefixes_are_computed_and_dear_ones_read():
    assert choose_modes(BYTES, MACS, 10_000, 20, speeds()) == ("online", "cached", "cached")


def test_a_fast_teacher_needs_no_cache_and_a_fast_disk_caches_all():
    assert choose_modes(BYTES, MACS, 10_000, 20, speeds(teacher_macs=1e13)) == ("online",) * 3
    assert choose_modes(BYTES, MACS, 10_000, 20, speeds(read_bytes=1e12)) == ("cached",) * 3


def test_one_epoch_is_not_worth_a_cache():
    assert choose_modes(BYTES, MACS, 10_000, 1, speeds()) == ("online",) * 3


def test_what_does_not_fit_on_the_disk_is_computed_least_gain_first():
    fits_one_block = speeds(read_bytes=1e12, free_bytes=2 * 10_000 * 4 * MB)
    assert choose_modes(BYTES, MACS, 10_000, 20, fits_one_block) == ("online", "online", "cached")
    assert choose_modes(BYTES, MACS, 10_000, 20, speeds(free_bytes=1)) == ("online",) * 3


def test_figures_of_a_teacher(tmp_path):
    space = digits((1, 8, 8), 10)
    network = space.build(space.smallest())
    teacher = cut(network, ["blocks.0", "blocks.1", "blocks.2"], (1, 8, 8))
    macs = prefix_macs(teacher)
    head = measure(teacher.pieces[-1], teacher.feature_shapes[-1])
    assert macs[-1] + head.num_macs == space.cost(space.smallest()).num_macs
    assert macs == sorted(macs)
    half = feature_bytes(teacher.feature_shapes, FeatureConfig(dtype="bfloat16"))
    assert half[0] == 2 * 64
    measured = measure_speeds(teacher, macs[-1], tmp_path / "features", ComputeConfig(device="cpu"))
    assert list(tmp_path.iterdir()) == []
    assert measured.read_bytes > 1e6
    assert measured.teacher_macs > 1e6
