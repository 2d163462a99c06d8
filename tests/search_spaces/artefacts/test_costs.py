import pytest

from nasray.search_spaces.artefacts.costs import COSTS, cost_kind, counted_costs, measured_costs
from nasray.search_spaces.names.attribute import load_attribute


def test_each_cost_is_either_counted_or_measured():
    counted, measured = {cost.name for cost in counted_costs()}, {cost.name for cost in measured_costs()}
    assert counted | measured == COSTS.keys()
    assert not counted & measured


@pytest.mark.parametrize("cost", counted_costs(), ids=lambda cost: cost.name)
def test_counters_are_there(cost):
    assert callable(load_attribute(cost.counter))


def test_costs_have_the_flags_of_nasray_rank():
    assert [cost.flag for cost in COSTS.values()] == ["--max-params", "--max-macs", "--max-latency-ms"]


def test_any_other_column_is_called_like_it():
    found = cost_kind("num_tall_layers")
    assert (found.name, found.heading, found.short) == ("num_tall_layers", "tall layers", "tall_layers")
