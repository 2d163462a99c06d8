import math

import numpy as np
import pytest

from nasray.trainables.sd_darts.early_stopping import stop_epoch


def brute_force(eigenvalues, window, lag, factor, earliest):
    def mean(i):
        return np.mean(eigenvalues[i - (window - 1) // 2 : i + window // 2 + 1])

    for i in range((window - 1) // 2 + lag, len(eigenvalues) - window // 2):
        if i - lag >= earliest and mean(i - lag) / mean(i) < factor:
            return i - lag
    return None


@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("lag", [1, 4, 5])
@pytest.mark.parametrize("earliest", [0, 10])
def test_positive_values_follow_the_rule(window, lag, earliest):
    rng = np.random.default_rng(0)
    answers = set()
    for growth in (0.99, 1.01, 1.03, 1.1):
        for _ in range(10):
            values = list(growth ** np.arange(40) * np.exp(0.6 * rng.standard_normal(40)))
            found = stop_epoch(values, window=window, lag=lag, factor=0.7, earliest=earliest)
            assert found == brute_force(values, window, lag, 0.7, earliest)
            answers.add(found)
    assert len(answers) > 3


def test_a_jump_is_noticed_and_the_architecture_before_it_is_kept():
    eigenvalues = [0.2] * 20 + [0.8] * 10
    # Around 17 the window reads .2 .2 .2 .2 .2, around 18 it holds one .8: .2 / .32 < .75.
    assert stop_epoch(eigenvalues) == 13
    assert stop_epoch(eigenvalues[:20]) is None
    assert stop_epoch(eigenvalues[:21]) == 13


def test_more_values_never_change_what_was_decided():
    values = list(np.exp(np.random.default_rng(3).standard_normal(60).cumsum() * 0.2))
    answers = [stop_epoch(values[:count]) for count in range(len(values) + 1)]
    first = next(count for count, answer in enumerate(answers) if answer is not None)
    assert first == answers[first] + 5 + 5 // 2 + 1
    assert set(answers[first:]) == {answers[first]}


@pytest.mark.parametrize("values", [[], [0.1] * 9, [0.3] * 50, list(np.linspace(2, 0.1, 50))])
def test_no_growth_or_too_few_values_do_not_stop(values):
    assert stop_epoch(values) is None


def test_growth_before_the_earliest_epoch_is_let_pass():
    eigenvalues = [0.01] * 5 + [0.5] * 30
    assert stop_epoch(eigenvalues) == 2
    assert stop_epoch(eigenvalues, earliest=10) is None


@pytest.mark.parametrize("factor", [-1.0, 0.0])
def test_means_that_are_not_positive_decide_nothing(factor):
    assert stop_epoch([factor * 0.1] * 12 + [factor * 0.9] * 12) is None
    assert stop_epoch([-0.1] * 12 + [0.9], window=1) is None


@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf])
def test_windows_with_a_value_that_is_not_finite_decide_nothing(gap):
    assert stop_epoch([0.2] * 10 + [gap] + [0.2] * 20) is None
    assert stop_epoch([0.2] * 20 + [gap] * 30) is None
    # Growth is still found where both windows are whole: the later one, around 21, begins after the gap.
    assert stop_epoch([0.2] * 18 + [gap] + [0.8] * 10, lag=6) == 15
