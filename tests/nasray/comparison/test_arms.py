import pytest

from nasray.comparison.arms import arm_runs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config

CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}


@pytest.fixture
def runs(comparison_in, tmp_path):
    return lambda **changes: list(arm_runs(load_config(comparison_in(tmp_path, **changes))))


def test_an_arm_is_a_search_in_a_folder_of_its_own(runs, tmp_path):
    (run, _) = runs(seeds=[3])
    config = run.config
    assert (run.space, run.arm, run.seed, run.name) == ("declared", "dna", 3, "dna_seed_3")
    assert RunFolder.of(config).path == tmp_path / "runs" / "compared" / "dna_seed_3"
    assert config.storage.features == tmp_path / "runs" / "features"
    assert (config.seed, config.retrain, config.comparison) == (3, None, None)
    assert [search.method for search in config.searches] == ["dna"]
    assert config.budgets == {"num_params": 2500}
    assert config.tracking.tags == {"comparison": "compared", "arm": "dna"}
    assert config.tracking.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_every_arm_searches_every_space_with_every_seed(runs):
    """Seed by seed, so that an interrupted comparison has all arms of the first seeds."""
    arms = {"plain": {"searches": [{"method": "sd_darts"}]}, "taught": {"searches": [{"method": "sd_darts"}]}}
    found = runs(
        changes={"budgets": {}},
        seeds=[0, 5],
        arms=arms,
        spaces={"cells": CELLS, "blocks": {"source": "digits"}},
        judge=None,
    )
    assert [run.name for run in found] == [
        f"{space}.{arm}_seed_{seed}" for seed in (0, 5) for space in ("cells", "blocks") for arm in arms
    ]
    assert {run.space: run.config.search_space.source for run in found} == {
        "cells": "nasbench201",
        "blocks": "digits",
    }


def test_arms_may_differ_in_how_they_search(runs, tmp_path):
    changes = {
        "searches": [{"method": "dna", "epochs": 9}, {"method": "sd_darts"}],
        "teacher.train.epochs": 7,
        "retrain": {"top": 1, "sample": 0, "distillation": {}},
    }
    (run,) = runs(arms={"dna": changes})
    config = run.config
    assert (config.teacher.source, config.teacher.train.epochs) == ("largest", 7)
    assert (config.retrain.top, config.retrain.sample) == (1, 0)
    assert run.speaks[0] is config.searches[0], "what ranks all tells more than what finds one"


def test_what_finds_speaks_where_nothing_ranks(runs):
    assert runs()[1].speaks[1].declaration.finds


def test_an_arm_that_needs_what_it_has_not_is_told_with_its_folder(comparison_in, tmp_path):
    plain = comparison_in(tmp_path, arms={"bare": {"searches": [{"method": "dna"}], "teacher": None}})
    with pytest.raises(ValueError, match=r"comparison\.arms\.bare: teacher must be given"):
        load_config(plain)
