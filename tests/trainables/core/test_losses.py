import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy
from torch.nn import functional as F

from nasray.trainables.core.losses import feature_loss, logit_loss
from nasray.trainables.sd_darts.voting.votes import vote


@pytest.fixture
def maps():
    torch.manual_seed(0)
    scales = torch.tensor([0.5, 1.0, 4.0]).view(1, 3, 1, 1)
    target = torch.randn(12, 3, 4, 4) * scales + 2
    return target + 0.3 * torch.randn_like(target), target


@pytest.fixture
def logits():
    return 3 * torch.randn(5, 40, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_normalised_loss_does_not_change_with_a_channels_scale(maps):
    output, target = maps
    factor = torch.tensor([10.0, 1.0, 0.2]).view(1, 3, 1, 1)
    plain = feature_loss(output, target, "normalized_mse")
    scaled = feature_loss(output * factor, target * factor, "normalized_mse")
    torch.testing.assert_close(plain, scaled, rtol=1e-3, atol=1e-4)
    assert feature_loss(output * factor, target * factor, "mse") != pytest.approx(
        float(feature_loss(output, target, "mse"))
    )


def test_distillation_is_the_divergence_at_the_temperature(logits):
    target, student = vote(logits, 3.0, "mean_prob"), logits[0]
    divergences = scipy_entropy(target.numpy(), softmax(student.numpy() / 3, axis=-1), axis=-1)
    assert logit_loss(target, student, 3.0).item() == pytest.approx(9 * divergences.mean())
    assert logit_loss((student / 3).softmax(-1), student, 3.0).item() == pytest.approx(0, abs=1e-12)


def test_distillation_from_hard_labels_is_the_cross_entropy(logits):
    labels = torch.arange(40) % 7
    hard = F.one_hot(labels, 7).double()
    torch.testing.assert_close(logit_loss(hard, logits[0], 1.0), F.cross_entropy(logits[0], labels))


def test_the_gradient_goes_to_the_student_alone(logits):
    teachers = logits[1:].requires_grad_()
    student = logits[0].clone().requires_grad_()
    target = vote(teachers, 3.0, "majority")
    logit_loss(vote(teachers, 3.0, "mean_prob"), student, 3.0).backward()
    assert teachers.grad is None
    student.grad = None
    logit_loss(target, student, 3.0).backward()
    expected = 3 * ((student / 3).softmax(-1) - target) / 40
    torch.testing.assert_close(student.grad, expected.detach())
