import pytest

from nasray.analysis.exact.ranking import top_architectures
from nasray.comparison.scores import cpu_seconds, trivial_raters
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.core.trainable import mark_done


def test_trivial_measures_find_the_largest_within_the_budgets(comparison_in, tmp_path):
    config = load_config(comparison_in(tmp_path))
    space = unit_inputs(config, RunFolder.of(config)).space
    raters = {rater.arm: rater for rater in trivial_raters(space)}
    everything = top_architectures(raters["MACs"].tables, k=1)["architecture"][0]
    assert everything == str(space.largest())
    best = top_architectures(raters["parameters"].tables, config.budgets, 1)
    assert best["num_params"][0] <= 2500
    assert best["score"][0] == -best["num_params"][0]
    deepest = top_architectures(raters["depth then MACs"].tables, k=20)
    assert deepest["architecture"].str.startswith("2x8:").iloc[:12].all()
    assert deepest["num_macs"].iloc[:12].is_monotonic_decreasing


def test_the_time_of_a_search_is_that_of_all_its_units(tmp_path):
    for unit, seconds in (("teacher", 1.5), ("units/block_0/2x8", 2.0)):
        (tmp_path / unit).mkdir(parents=True)
        mark_done(tmp_path / unit, "0", [], cpu_seconds=seconds)
    assert cpu_seconds(tmp_path) == pytest.approx(3.5)
