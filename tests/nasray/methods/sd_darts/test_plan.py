import pytest

from nasray.inputs.shared import unit_inputs
from nasray.methods.sd_darts.plan import search_unit
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.inputs import SearchInputs, UnitInputs


@pytest.fixture
def started(tiny):
    """Settings, folder and inputs of SD-DARTS beside the tiny search."""

    def build(overrides=(), **changes):
        searches = [*tiny()["searches"], {"method": "sd_darts", "epochs": 2, "self_distillation": None}]
        config = load_config(
            tiny(**{"searches": searches} | changes), ["features.mode=[cached, cached]", *overrides]
        )
        folder = RunFolder.of(config)
        return config.searches[-1], folder, unit_inputs(config, folder)

    return build


def test_the_search_knows_no_teacher(started):
    settings, folder, inputs = started()
    assert isinstance(inputs, SearchInputs)
    unit = search_unit(settings, folder, inputs)
    assert type(unit.spec.inputs) is UnitInputs
    assert (unit.name, unit.needs, unit.spec.folder) == ("sd_darts", (), folder.path / "units" / "sd_darts")
    other = search_unit(*started(["teacher.train.epochs=7", "searches.0.epochs=9"]))
    assert other.spec.fingerprint == unit.spec.fingerprint
    alone = started(searches=[{"method": "sd_darts", "epochs": 2, "self_distillation": None}], teacher=None)
    assert search_unit(*alone).spec.fingerprint == unit.spec.fingerprint


def test_longer_and_costlier_searches_are_told_to_cost_more(started):
    cost = search_unit(*started()).cost
    assert cost > 0
    assert search_unit(*started(["searches.1.epochs=6"])).cost == pytest.approx(3 * cost)
    assert search_unit(*started(["searches.1.second_order=true"])).cost == pytest.approx(2 * cost)


def test_the_longest_search_is_that_with_most_teachers(started):
    plain, k1, k5, cache = (
        search_unit(*started(["searches.1.epochs=9", f"searches.1.self_distillation={teachers}"])).cost
        for teachers in (
            "null",
            "{num_snapshots: 1}",
            "{num_snapshots: 5}",
            "{num_snapshots: 5, mode: cache}",
        )
    )
    assert plain == cache < k1 < k5
    # Per image, three passes of an epoch; a teacher's sees half of the images, from the fourth epoch on.
    assert k5 / plain == pytest.approx((3 * 9 + 5 * 0.5 * 6) / (3 * 9))
