import math

import pytest
import torch

from nasray.trainables.block_wise.self_supervision.heads import Heads, agreement_loss, spread, variance_loss


def test_projections_are_vectors_of_maps():
    heads = Heads(6, 16, 8, predictor=True)
    projections = heads.project(torch.randn(5, 6, 3, 4))
    assert projections.shape == heads.predictor(projections).shape == (5, 8)


def test_the_loss_is_the_squared_distance_of_unit_vectors():
    torch.manual_seed(0)
    one, other = torch.nn.functional.normalize(torch.randn(2, 7, 5), dim=2)
    assert float(agreement_loss(3 * one, 2 * other)) == pytest.approx(
        float((one - other).square().sum(dim=1).mean()), rel=1e-5
    )
    assert float(agreement_loss(one, one)) == pytest.approx(0, abs=1e-6)
    assert float(agreement_loss(one, -one)) == pytest.approx(4, abs=1e-6)


def test_variance_is_asked_for_up_to_one():
    torch.manual_seed(0)
    apart = torch.randn(4000, 16)
    assert float(variance_loss(apart)) == pytest.approx(0, abs=0.02)
    assert float(variance_loss(3 * apart)) == pytest.approx(float(variance_loss(apart)), abs=1e-4)
    assert float(variance_loss(apart + 100)) > 0.95
    assert float(variance_loss(torch.ones(8, 4))) == pytest.approx(0.99, abs=1e-6)


def test_the_spread_tells_a_collapse():
    torch.manual_seed(0)
    apart = spread(torch.randn(4000, 16))
    assert apart["dimension_std"] == pytest.approx(1, abs=0.01)
    assert apart["effective_rank"] == pytest.approx(16, abs=0.1)
    line = spread(torch.randn(100, 1) * torch.ones(16) + torch.tensor([5.0] + 15 * [0.0]))
    assert line["effective_rank"] < 3
    one = spread(torch.ones(10, 16))
    assert one == {"dimension_std": pytest.approx(0, abs=1e-9), "effective_rank": 0.0}
    assert not math.isnan(one["effective_rank"])
