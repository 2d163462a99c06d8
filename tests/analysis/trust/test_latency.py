import numpy as np
import pytest

from nasray.analysis.trust.latency import fit_correction, repeatability


def test_a_factor_is_found_and_leaves_no_error():
    sums = np.linspace(1.0, 2.0, 10)
    found = fit_correction(sums, 1.25 * sums)
    assert found.scale == pytest.approx(1.25)
    assert found.figures["num_fitted"] == found.figures["num_held_out"] == 5
    assert found.figures["before"]["median_relative_error"] == pytest.approx(0.2)
    assert found.figures["after"]["p95_relative_error"] == pytest.approx(0)
    assert found.figures["after"]["kendall_tau"] == pytest.approx(1)


def test_the_errors_are_of_networks_that_nothing_was_fitted_to():
    sums = np.ones(20)
    measured = np.where(np.arange(20) % 2 == 0, 2.0, 1.0)
    found = fit_correction(sums, measured)
    assert found.scale == 2
    assert found.figures["after"]["median_relative_error"] == pytest.approx(1)
    assert found.figures["after"]["kendall_tau"] is None


def test_a_disturbed_measurement_moves_nothing():
    sums = np.linspace(1.0, 2.0, 21)
    measured = 1.1 * sums
    measured[4] *= 50
    assert fit_correction(sums, measured).scale == pytest.approx(1.1)


def test_repeated_measurements_are_compared():
    first = np.array([1.0, 2.0, 3.0])
    assert repeatability(first, first)["p95_relative_error"] == 0
    assert repeatability(first, 2 * first)["median_relative_error"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("sums", "measured", "problem"),
    [([1.0], [1.0], "two networks at least, got 1"), ([1.0, 0.0], [1.0, 1.0], "times must be positive")],
)
def test_what_cannot_be_fitted_is_refused(sums, measured, problem):
    with pytest.raises(ValueError, match=problem):
        fit_correction(np.array(sums), np.array(measured))
