import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy
from torch.nn import functional as F

from nasray.trainables.sd_darts.voting.votes import entropy, smoothed_labels, vote

KINDS = ["mean_prob", "majority", "mean_logit"]


@pytest.fixture
def logits():
    return 3 * torch.randn(5, 40, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_votes_agree_with_numpy(logits):
    values = logits.numpy()
    shares = np.stack([(values.argmax(-1) == c).mean(0) for c in range(7)], axis=-1)
    np.testing.assert_allclose(vote(logits, 3.0, "mean_prob"), softmax(values / 3, axis=-1).mean(0))
    np.testing.assert_allclose(vote(logits, 3.0, "mean_logit"), softmax(values.mean(0) / 3, axis=-1))
    np.testing.assert_allclose(vote(logits, 3.0, "majority"), shares)


@pytest.mark.parametrize("kind", KINDS)
def test_votes_are_distributions_whatever_the_teachers_order(logits, kind):
    probabilities = vote(logits, 2.0, kind)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(40, dtype=torch.float64))
    torch.testing.assert_close(vote(logits[[3, 0, 4, 1, 2]], 2.0, kind), probabilities)
    assert vote(logits.float(), 2.0, kind).dtype == torch.float32


def test_a_single_teacher_is_its_own_vote(logits):
    alone = logits[:1]
    for kind in ("mean_prob", "mean_logit"):
        torch.testing.assert_close(vote(alone, 2.0, kind), (logits[0] / 2).softmax(-1))
    assert torch.equal(vote(alone, 2.0, "majority"), F.one_hot(logits[0].argmax(-1), 7).double())


def test_entropy_is_the_mean_in_nats(logits):
    probabilities = vote(logits, 1.0, "majority")
    assert (probabilities == 0).any()
    assert entropy(probabilities).item() == pytest.approx(
        scipy_entropy(probabilities.numpy(), axis=-1).mean()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_classes", [2, 10, 1000])
@pytest.mark.parametrize("share", [1e-4, 0.1, 0.5, 0.9, 0.999])
def test_smoothed_labels_have_the_entropy(dtype, num_classes, share):
    labels = torch.tensor([1, 0, 1])
    wanted = torch.tensor(share * math.log(num_classes), dtype=dtype)
    smoothed = smoothed_labels(labels, num_classes, wanted)
    assert smoothed.dtype == dtype
    assert entropy(smoothed).item() == pytest.approx(wanted.item(), rel=1e-3 if share < 0.01 else 1e-5)
    assert torch.equal(smoothed.argmax(-1), labels)
    torch.testing.assert_close(smoothed.sum(-1), torch.ones(3, dtype=dtype))
    other = smoothed[0, 0].item()
    assert (smoothed.scatter(1, labels[:, None], other) == other).all()


def test_entropies_beyond_the_ends_are_taken_for_the_ends():
    labels = torch.tensor([2, 0])
    for sharp in (-1.0, 0.0):
        assert torch.equal(smoothed_labels(labels, 4, torch.tensor(sharp)), F.one_hot(labels, 4).float())
    for flat in (math.log(4), 9.0):
        torch.testing.assert_close(
            smoothed_labels(labels, 4, torch.tensor(flat)), torch.full((2, 4), 0.25), rtol=0, atol=1e-3
        )
