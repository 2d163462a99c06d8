import math

import numpy as np
import pytest
import scipy
import torch
from torch import nn

from nasray.trainables.sd_darts.halves import Batch
from nasray.trainables.sd_darts.voting.self_distillation import SelfDistillation, gradient_norm
from nasray.trainables.settings.sd_darts import SelfDistillationConfig

torch.manual_seed(0)
LOGITS = 4 * torch.randn(3, 6, 5)
BATCH = Batch(torch.arange(6), torch.zeros(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 4, 0]))


class Told:
    """Teachers that always say the same, and remember what they were told."""

    def __init__(self, said=LOGITS):
        self.said, self.calls = said, []

    def logits(self, rows, images):
        return self.said

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))


def distillation(teachers=None, *, epoch=9, **settings):
    found = SelfDistillation(teachers or Told(), SelfDistillationConfig(**settings))
    found.start_epoch(epoch)
    return found


def test_there_is_no_target_before_its_epoch_or_without_teachers():
    assert distillation(epoch=2, start_epoch=3).target(BATCH) is None
    assert distillation(epoch=3, start_epoch=3).target(BATCH) is not None
    assert distillation(Told(None)).target(BATCH) is None


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_target_is_the_vote_at_the_temperature(temperature):
    logits = LOGITS.numpy() / temperature
    targets = {
        "mean_prob": scipy.special.softmax(logits, axis=-1).mean(0),
        "mean_logit": scipy.special.softmax(logits.mean(0), axis=-1),
        "majority": np.eye(5)[logits.argmax(-1)].mean(0),
    }
    for vote, expected in targets.items():
        found = distillation(temperature=temperature, vote=vote).target(BATCH)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_smoothed_labels_are_as_uncertain_as_the_vote():
    vote = distillation(temperature=2.0).target(BATCH)
    smoothed = distillation(temperature=2.0, target="smoothed_label").target(BATCH)
    assert torch.equal(smoothed.argmax(1), BATCH.labels)
    entropies = [float(torch.special.entr(target).sum(1).mean()) for target in (vote, smoothed)]
    assert entropies[0] == pytest.approx(entropies[1], rel=1e-5)


@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 1.0), (0.3, 5.0)])
def test_the_loss_is_the_scaled_divergence(weight, temperature):
    term = distillation(weight=weight, temperature=temperature)
    target, logits = term.target(BATCH), torch.randn(6, 5)
    present = scipy.special.softmax(logits.numpy() / temperature, axis=-1)
    divergence = scipy.stats.entropy(target.numpy(), present, axis=-1).mean()
    assert float(term.loss(target, logits)) == pytest.approx(weight * temperature**2 * divergence, rel=1e-4)


def test_it_belongs_to_the_parts_that_the_config_names():
    for applies_to, parts in {
        "weights": ["weights"],
        "alpha": ["alpha"],
        "both": ["weights", "alpha"],
    }.items():
        term = distillation(applies_to=applies_to)
        assert [part for part in ("weights", "alpha") if term.applies_to(part)] == parts


def test_teachers_are_told_of_steps_over_all_epochs():
    teachers = Told()
    term = SelfDistillation(teachers, SelfDistillationConfig())
    for epoch in range(2):
        term.start_epoch(epoch)
        for _ in range(2):
            term.after_step()
        term.after_epoch()
    steps = [call for call in teachers.calls if call[0] == "after_step"]
    assert [step for _, step in steps] == [0, 1, 2, 3]
    assert [call for call in teachers.calls if call[0] != "after_step"] == [
        ("discard_unused",),
        ("after_epoch", 0),
        ("discard_unused",),
        ("after_epoch", 1),
    ]
    later = SelfDistillation(Told(), SelfDistillationConfig())
    later.load_state_dict(term.state_dict())
    assert later.state_dict()["num_steps"] == 4


def test_what_is_recorded_has_no_graph():
    teachers = Told()
    logits = torch.randn(6, 5, requires_grad=True)
    distillation(teachers).record(BATCH, logits * 2)
    name, rows, recorded = teachers.calls[-1]
    assert (name, rows.tolist(), recorded.requires_grad) == ("record", BATCH.rows.tolist(), False)


def test_the_norm_is_over_all_gradients():
    layer, unused = nn.Linear(3, 2), nn.Parameter(torch.ones(2))
    loss = layer(torch.randn(4, 3)).square().sum()
    norm = gradient_norm(loss, [*layer.parameters(), unused])
    loss.backward()  # the graph is kept
    expected = math.sqrt(sum(float(p.grad.square().sum()) for p in layer.parameters()))
    assert float(norm) == pytest.approx(expected)
