import pytest

from nasray.comparison.arms import arm_runs
from nasray.comparison.judge import Judge
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config

CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}
ARCHITECTURE = "2x8:skip,mb3k3/2x16:skip,sep3"


@pytest.fixture
def judge(comparison_in, tmp_path):
    """Builds the judge of a comparison's one space, and gives it with the comparison's searches."""

    def build(changes=(), **settings):
        plain = comparison_in(tmp_path, changes)
        plain["comparison"]["judge"] |= settings
        config = load_config(plain)
        folder = RunFolder.of(config)
        judged = config.comparison.judge
        inputs = unit_inputs(config, folder).without_teacher(judged.seed)
        return Judge(judged, config, folder, "declared", inputs), list(arm_runs(config))

    return build


def test_what_any_search_found_is_trained_in_one_way(judge):
    own, (dna, sd_darts) = judge(seed=5, training_seeds=[0, 2])
    first, second = own.trainings(ARCHITECTURE, dna)
    assert [spec.training_seed for spec in (first, second)] == [0, 2]
    assert first.inputs.seed == second.inputs.seed == 5
    assert [spec.folder for spec in own.trainings(ARCHITECTURE, sd_darts)] == [first.folder, second.folder]
    assert (own.trainings(ARCHITECTURE)[0].fingerprint) == first.fingerprint
    assert len(list(own.units([first, second, *own.trainings(ARCHITECTURE)]))) == 2


def test_without_a_seed_what_was_found_is_trained_on_its_searchs_own_split(judge):
    own, (dna, sd_darts) = judge(seed=None, sample=0, training_seeds=[0, 2])
    specs = own.trainings(ARCHITECTURE, dna)
    assert {spec.inputs.seed for spec in specs} == {0}
    other = own.trainings(ARCHITECTURE, sd_darts)
    assert {spec.folder for spec in specs}.isdisjoint(spec.folder for spec in other)
    assert [spec.training_seed for spec in specs] == [spec.training_seed for spec in other]


def test_pairs_of_one_seed_share_split_and_training_seeds(comparison_in, tmp_path):
    plain = comparison_in(tmp_path, seeds=[4])
    plain["comparison"]["judge"] |= {"seed": None, "sample": 0}
    config = load_config(plain)
    folder = RunFolder.of(config)
    own = Judge(config.comparison.judge, config, folder, "declared", unit_inputs(config, folder))
    (first,), (second,) = (own.trainings(ARCHITECTURE, run) for run in arm_runs(config))
    assert first.inputs.seed == second.inputs.seed == 4
    assert first.training_seed == second.training_seed == 4


def test_networks_are_drawn_within_the_budgets_and_again_the_same(judge):
    own, _ = judge(sample=6)
    names = own.sample
    assert len(set(names)) == 6
    assert all(own.inputs.space.cost(name).num_params <= 2500 for name in names)
    assert judge(sample=6)[0].sample == names
    assert judge(sample=6, seed=1)[0].sample != names
    assert own.drawn([3, 4]) == {seed: judge(sample=1, seed=seed)[0].sample[0] for seed in (3, 4)}


def test_without_a_sample_nothing_is_drawn(judge):
    own, _ = judge(sample=0)
    assert (own.sample, own.drawn([0, 1])) == ([], {})
    own.check()


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        (
            {},
            {"seed": None},
            r"comparison\.judge\.seed must be given where .*sample networks are drawn, got null",
        ),
        (
            {"search_space": CELLS, "budgets": {}},
            {},
            r"comparison\.judge\.sample must be 0 in declared, a space of cells",
        ),
        (
            {"budgets": {"num_params": 5}},
            {},
            r"budgets\.num_params must be at least \d+, the smallest of all",
        ),
        ({"budgets": {"num_parms": 5}}, {}, r"budgets must be of num_params, .*, got num_parms"),
    ],
)
def test_what_cannot_be_judged_is_told_before_anything_is_searched(judge, changes, settings, message):
    own, _ = judge(changes, **settings)
    with pytest.raises(ValueError, match=message):
        own.check()
