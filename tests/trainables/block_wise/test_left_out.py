"""Operations of a cell that fail: in the supernet, in the walk over its candidates, in a unit's folder."""

import os
import re
import sys

import pytest
import torch
from torch import nn

from nasray.errors import UserError
from nasray.trainables.block_wise.candidate_walk import CandidateWalk
from nasray.trainables.block_wise.left_out import (
    LeftOut,
    OperationError,
    Place,
    computing,
    forget_others,
    leave_out,
    left_out_in,
)
from nasray.trainables.block_wise.supernet import Path
from nasray.trainables.core.guards.exits import exits_as_errors

PLACE = Place(1, "mb3k3", in_training=True)


class Failing(nn.Module):
    """An operation that does something else than to compute."""

    def __init__(self, fail):
        super().__init__()
        self._fail = fail

    def forward(self, features):
        self._fail()
        return features


def raise_key_error():
    raise KeyError("scale")


def raise_os_error():
    raise ConnectionResetError("the store")


def test_what_is_left_out_is_drawn_no_more(supernet, rng):
    net = supernet(1)
    net.leave_out([LeftOut(1, "mb3k3", "it failed")])
    paths = [net.uniform_path(rng) for _ in range(50)] + net.fair_round(rng)
    assert {path.choices[1] for path in paths} == {0}
    assert {path.choices[0] for path in paths} == {0, 1, 2}


def test_what_hung_is_drawn_in_no_layer(supernet, rng):
    net = supernet(1)
    net.leave_out([LeftOut(None, "mb3k3", "it hung")])
    for path in net.fair_round(rng):
        assert 1 not in path.choices


def test_a_fair_round_is_fair_among_the_others(supernet, rng):
    net = supernet(0)
    net.leave_out([LeftOut(0, "skip", "it failed")])
    paths = net.fair_round(rng)
    for layer, choices in ((0, {1, 2}), (1, {0, 1, 2})):
        drawn = [path.choices[layer] for path in paths]
        assert {choice: drawn.count(choice) for choice in choices} == dict.fromkeys(
            choices, len(paths) // len(choices)
        )


def test_a_layer_without_any_choice_is_refused_with_the_reasons(supernet):
    net = supernet(1)
    with pytest.raises(UserError, match=r"layer 1 has skip \(one\), mb3k3 \(another\)"):
        net.leave_out([LeftOut(1, "skip", "one"), LeftOut(1, "mb3k3", "another")])


def test_a_failure_in_training_names_the_choice(supernet):
    net = supernet(1)
    net.later_layers[0][1] = Failing(raise_key_error)
    features = torch.randn(3, 12, 8, 8)
    net(features, Path(0, (0, 0, 2)))
    with pytest.raises(
        OperationError, match=r"`mb3k3` in layer 1: KeyError in training at .*'scale'"
    ) as caught:
        net(features, Path(0, (0, 1, 2)))
    assert caught.value.place == PLACE


def test_what_may_pass_is_nobodys_fault():
    with pytest.raises(ConnectionResetError), computing(PLACE):
        raise_os_error()


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (raise_key_error, r"KeyError at \S*test_left_out\.py:\d+: 'scale'"),
        (lambda: sys.exit(2), r"ExitedError at \S+:\d+: sys\.exit\(2\) was called"),
        (lambda: os._exit(2), r"ExitedError at \S+:\d+: os\._exit\(2\) was called"),
    ],
)
def test_a_failure_in_evaluation_takes_its_own_candidates_alone(supernet, fail, reason):
    net = supernet(1)
    net.later_layers[0][1] = Failing(fail)
    batches = [torch.randn(4, 12, 8, 8)]
    walk = CandidateWalk(net)
    with exits_as_errors():
        outputs = list(walk.outputs(walk.subtrees(), batches, batches))
    failed = [output for output in outputs if output.batches is None]
    assert {output.path.choices[1] for output in failed} == {1}
    assert len(failed) == len(outputs) // 2
    for output in failed:
        assert re.fullmatch(reason, output.failure)


def test_what_may_pass_ends_the_walk(supernet):
    net = supernet(1)
    net.later_layers[0][1] = Failing(raise_os_error)
    batches = [torch.randn(4, 12, 8, 8)]
    walk = CandidateWalk(net)
    with pytest.raises(ConnectionResetError):
        list(walk.outputs(walk.subtrees(), batches, batches))


def test_what_was_left_out_is_not_run_in_the_walk(supernet):
    net = supernet(1)
    net.later_layers[0][1] = Failing(lambda: pytest.fail("it was run"))
    net.leave_out([LeftOut(1, "mb3k3", "no step for 8 s")])
    batches = [torch.randn(4, 12, 8, 8)]
    walk = CandidateWalk(net)
    outputs = list(walk.outputs(walk.subtrees(), batches, batches))
    assert {output.failure for output in outputs if output.path.choices[1] == 1} == {"no step for 8 s"}


def test_a_folder_keeps_what_was_left_out_for_the_same_inputs(tmp_path):
    assert left_out_in(tmp_path) == []
    found = [LeftOut(1, "mb3k3", "it failed"), LeftOut(None, "skip", "it hung")]
    for one in found:
        leave_out(tmp_path, "abc", one)
    forget_others(tmp_path, "abc")
    assert left_out_in(tmp_path) == found
    forget_others(tmp_path, "others")
    assert left_out_in(tmp_path) == []
