import pytest

from nasray.inputs.shared import unit_inputs
from nasray.methods.sd_darts.plan import search_unit, study_runs, study_units
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.inputs import SearchInputs, UnitInputs

CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}
STUDY = {
    "seeds": [0, 5],
    "arms": {
        "plain": {"self_distillation": None},
        "k1": {"self_distillation": {"num_snapshots": 1}, "epochs": 4},
    },
    "retrain": {"epochs": 2},
}


@pytest.fixture
def started(tiny):
    """Config, folder and inputs of the tiny search with SD-DARTS beside it."""

    def build(overrides=(), **changes):
        searches = [*tiny()["searches"], {"method": "sd_darts", "epochs": 2, "self_distillation": None}]
        config = load_config(
            tiny(**{"searches": searches} | changes), ["features.mode=[cached, cached]", *overrides]
        )
        folder = RunFolder.of(config)
        return config, folder, unit_inputs(config, folder)

    return build


def test_the_search_knows_no_teacher(started):
    config, folder, inputs = started()
    assert isinstance(inputs, SearchInputs)
    unit = search_unit(config.sd_darts, folder, inputs)
    assert type(unit.spec.inputs) is UnitInputs
    assert (unit.name, unit.needs, unit.spec.folder) == ("sd_darts", (), folder.path / "units" / "sd_darts")
    other = search_unit(*_parts(started(["teacher.train.epochs=7", "searches.0.epochs=9"])))
    assert other.spec.fingerprint == unit.spec.fingerprint
    alone = started(searches=[{"method": "sd_darts", "epochs": 2, "self_distillation": None}], teacher=None)
    assert search_unit(*_parts(alone)).spec.fingerprint == unit.spec.fingerprint


def _parts(started):
    config, folder, inputs = started
    return config.sd_darts, folder, inputs


def test_longer_and_costlier_searches_are_told_to_cost_more(started):
    cost = search_unit(*_parts(started())).cost
    assert cost > 0
    assert search_unit(*_parts(started(["searches.1.epochs=6"]))).cost == pytest.approx(3 * cost)
    assert search_unit(*_parts(started(["searches.1.second_order=true"]))).cost == pytest.approx(2 * cost)


def test_a_study_runs_every_arm_with_every_seed(started):
    config, folder, inputs = started(study=STUDY)
    runs = list(study_runs(config, folder, inputs))
    assert [(run.space, run.arm, run.seed) for run in runs] == [
        ("declared", arm, seed) for arm in ("plain", "k1") for seed in (0, 5)
    ]
    for run in runs:
        assert run.search.inputs.seed == run.retraining.inputs.seed == run.seed
        assert run.search.config == config.arm(run.arm)
        assert run.retraining.search == run.search
        assert run.retraining.config.epochs == 2
    assert [run.search.config.epochs for run in runs] == [2, 2, 4, 4]
    assert runs[0].search.config.teachers is None
    assert len({run.search.fingerprint for run in runs}) == 4
    assert len({run.search.folder for run in runs} | {run.retraining.folder for run in runs}) == 8


def test_a_study_in_several_spaces(started):
    spaces = {"cells": CELLS, "blocks": {"source": "digits"}}
    config, folder, inputs = started(study={**STUDY, "spaces": spaces})
    runs = list(study_runs(config, folder, inputs))
    assert [run.space for run in runs] == ["cells"] * 4 + ["blocks"] * 4
    assert {run.space: run.search.inputs.space.name for run in runs} == {
        "cells": "nasbench201",
        "blocks": "digits",
    }


def test_each_retraining_needs_its_search(started):
    units = list(study_units(*started(study=STUDY)))
    assert len(units) == 8
    by_name = {unit.name: unit for unit in units}
    search, retraining = by_name["sd_darts/declared/k1/seed_5"], by_name["retrain/declared/k1/seed_5"]
    assert (search.needs, retraining.needs) == ((), (search.name,))
    # Twice the epochs, in the last of which a teacher sees half of the images.
    assert search.cost == pytest.approx(
        (3 * 4 + 0.5) / (3 * 2) * by_name["sd_darts/declared/plain/seed_0"].cost
    )
