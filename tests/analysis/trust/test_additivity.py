import json

import numpy as np
import pandas as pd
import pytest

from nasray.analysis.trust.additivity import additivity, sentence


def swaps(blocks, alone_sum, together):
    return pd.DataFrame({"blocks": blocks, "alone_sum": alone_sum, "together": together})


def test_a_sum_that_holds_has_no_error():
    sums = np.linspace(0.1, 1, 9)
    (figures,) = additivity(swaps("0+1", sums, sums)).values()
    assert figures["num_swaps"] == 9
    assert [figures[name] for name in ("pearson", "spearman", "kendall_tau")] == pytest.approx([1, 1, 1])
    assert figures["median_relative_error"] == 0
    assert figures["median_ratio"] == 1


def test_groups_are_told_one_by_one_in_their_order():
    sums = np.linspace(0.1, 1, 9)
    frame = pd.concat(
        [swaps("1+2", sums, 0.5 * sums), swaps("0+1", sums, sums[::-1]), swaps("0+1+2", sums, sums)]
    )
    figures = additivity(frame)
    assert list(figures) == ["1+2", "0+1", "0+1+2"]
    assert figures["1+2"]["median_relative_error"] == pytest.approx(1)
    assert figures["1+2"]["median_ratio"] == pytest.approx(0.5)
    assert figures["0+1"]["spearman"] == pytest.approx(-1)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert "ρ 0.00" in sentence(figures).split(";")[0]  # noqa: RUF001
    assert "ρ 1.00 and is off by 0% in the median; they do 1.00 times the sum." in sentence(figures)  # noqa: RUF001


def test_what_is_not_finite_or_too_few_has_no_figures():
    figures = additivity(swaps("0+1", [0.1, 0.2, 0.3], [0.1, np.nan, np.inf]))["0+1"]
    assert figures["num_swaps"] == 1
    assert figures["pearson"] is None
    assert figures["median_ratio"] == 1
    nothing = additivity(swaps("0+1", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]))
    assert nothing["0+1"]["kendall_tau"] is None
    assert nothing["0+1"]["median_relative_error"] is None
    assert sentence(nothing).startswith("Of blocks in pairs")
