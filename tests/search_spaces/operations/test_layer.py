import pytest
from torch import nn

from nasray.search_spaces.costs.cost import measure, output_shape
from nasray.search_spaces.operations.layer import Layer
from nasray.search_spaces.operations.shipped import OPERATIONS


def test_a_layer_is_built_and_costs_as_it_says():
    layer = Layer("mb3k5se", 12, 2)
    module = layer.build(6, OPERATIONS)
    assert layer.cost((6, 9, 8), OPERATIONS) == measure(module, (6, 9, 8))
    assert layer.output_shape((6, 9, 8)) == output_shape(module, (6, 9, 8)) == (12, 5, 4)


def test_an_impossible_layer_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0, 1"):
        Layer("conv3", 0, 1)


def shrinking(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels, 3, stride)


def failing(in_channels, out_channels, stride):
    raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            shrinking,
            r"'own' with .* = \(6, 8, 1\) must turn maps \(6, 9, 9\) into \(8, 9, 9\), got \(8, 7, 7\)",
        ),
        (failing, r"'own' with .* must run on maps \(6, 9, 9\): RuntimeError: no such thing"),
    ],
)
def test_an_operation_that_breaks_its_promise_is_named(operation, message):
    with pytest.raises(ValueError, match=message):
        Layer("own", 8, 1).cost((6, 9, 9), {"own": operation})
