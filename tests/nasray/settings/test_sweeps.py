import pytest
from pydantic import ValidationError

from nasray.settings.sweeps import Domain, SweepConfig

SWEEP = {"unit": "teacher", "objectives": {"b": "min"}, "domains": {"seed": {"low": 0, "high": 9}}}


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({}, "must have low and high, or choices"),
        ({"low": 1}, "must have low and high, or choices"),
        ({"low": 2, "high": 1}, "low must be less than high, got low 2 and high 1"),
        ({"low": 1, "high": 1}, "low must be less than high"),
        ({"low": float("nan"), "high": 1}, "low must be less than high"),
        ({"low": 0, "high": 1, "log": True}, "low must be greater than 0 where log is true, got 0"),
        ({"low": 1, "high": 8, "log": True, "step": 2}, "step must be left out where log is true, got 2"),
        ({"low": 0, "high": 1, "step": 0.3}, "high must be a number of steps from low, got 0 to 1 by 0.3"),
        ({"low": 0, "high": 1, "step": 0}, "greater than 0"),
        ({"choices": [1]}, "at least 2"),
        ({"choices": [1, 2, 1]}, r"choices must differ, got \[1, 2, 1\]"),
        ({"choices": [1, 2], "low": 1}, "choices must stand alone"),
    ],
)
def test_a_domain_that_makes_no_sense_is_told(plain, message):
    with pytest.raises(ValidationError, match=message):
        Domain.model_validate(plain)


@pytest.mark.parametrize(
    ("plain", "whole"),
    [
        ({"low": 2, "high": 10, "step": 2}, True),
        ({"low": 2, "high": 10.0}, False),
        ({"low": 0, "high": 0.9, "step": 0.3}, False),  # 0.9 / 0.3 is not 3 in binary fractions
        ({"low": 0.1, "high": 0.3, "step": 0.1}, False),  # nor 0.3 - 0.1 twice 0.1
    ],
)
def test_a_range_is_of_whole_numbers_where_all_of_it_is(plain, whole):
    assert Domain.model_validate(plain).is_whole == whole


def test_choices_of_different_types_differ():
    assert Domain.model_validate({"choices": [1, True, "1", None]}).extremes == (1, True, "1", None)


def test_asha_takes_one_objective():
    both = {"b": "min", "a": "max"}
    with pytest.raises(ValidationError, match="several objectives, got asha with b, a"):
        SweepConfig.model_validate(SWEEP | {"objectives": both, "scheduler": "asha"})


def test_the_values_order_does_not_depend_on_the_configs():
    sweep = SweepConfig.model_validate(SWEEP | {"objectives": {"b": "min", "a": "max"}})
    assert (sweep.metrics, sweep.modes) == (["a", "b"], ["max", "min"])


def test_settings_are_not_chosen_by_the_test_images():
    with pytest.raises(ValidationError, match="got test_accuracy: take held_out_accuracy"):
        SweepConfig.model_validate(SWEEP | {"objectives": {"test_accuracy": "max"}})
