import pytest

from nasray.analysis.trust.verdict import networks_to_decide, sentence


def figures(value, low, high, *, tau=0.5, ceiling=None, **verdict):
    outcome = "better" if low > 0 else "worse" if high < 0 else "undecided"
    difference = {"value": value, "low": low, "high": high}
    return {
        "num_networks": 16,
        "predictors": {"score": {"kendall_tau": {"value": tau}}},
        "noise_ceiling": None if ceiling is None else {"kendall_tau": {"value": ceiling}},
        "verdict": {"best_baseline": "num_macs", "difference": difference, "outcome": outcome, **verdict},
    }


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((0.2, 0.1, 0.3), "The score orders 16 networks better than the number of MACs does"),
        ((-0.2, -0.3, -0.1), "The score orders 16 networks worse than the number of MACs does"),
        ((0.1, -0.1, 0.3), "With only 16 networks, the score cannot be told apart from the number of MACs"),
    ],
)
def test_the_sentence_tells_the_outcome_with_its_figures(ends, told):
    text = sentence(figures(*ends))
    assert text.startswith(
        f"{told}, the best trivial baseline: Kendall's τ with their accuracies is 0.50 against"
    )
    assert f"a difference of {ends[0]:.2f} (95% interval {ends[1]:.2f} to {ends[2]:.2f})." in text
    assert ("would decide it" in text) == ("only" in told)


def test_a_random_order_is_a_baseline():
    assert "than a random order does, the best trivial baseline" in sentence(
        figures(0.5, 0.2, 0.7, best_baseline="random")
    )


@pytest.mark.parametrize(
    ("ends", "number", "told"),
    [
        ((0.1, -0.1, 0.3), 64, "about 65 networks"),
        ((-0.05, -0.24, 0.13), 16 * 3.6**2, "about 210 networks"),
        ((0.001, -0.2, 0.2), 16 * 201**2, "more than 10,000 networks"),
        ((0.0, -0.2, 0.2), float("inf"), "more than 10,000 networks"),
        ((0.1, 0.0, 0.2), 16, "about 17 networks"),
    ],
)
def test_what_is_undecided_comes_with_how_many_networks_would_decide_it(ends, number, told):
    given = figures(*ends)
    assert networks_to_decide(16, given["verdict"]["difference"]) == pytest.approx(number)
    assert sentence(given).endswith(f" If the difference stays, {told} would decide it (an estimate).")
    several = sentence(figures(*ends, ceiling=0.43))
    assert several.endswith(
        f" Two trainings of these networks agree with each other by τ 0.43; if the difference stays, {told} would "
        "decide it (an estimate)."
    )


def test_a_proxy_is_named_where_it_is_better_than_both():
    for value, named in ((0.61, True), (0.6, False), (0.4, False)):
        proxy = {"name": "synflow", "kendall_tau": value}
        text = sentence(figures(-0.1, -0.2, -0.05, best_proxy=proxy))
        assert ("The zero-cost proxy synflow orders them better than both: τ 0.61." in text) == named
    assert "proxy" not in sentence(figures(-0.1, -0.2, -0.05, best_proxy=None))
