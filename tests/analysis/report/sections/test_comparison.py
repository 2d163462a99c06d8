import pandas as pd
import pytest

from nasray.analysis.report import write_report
from nasray.analysis.report.sections.comparison import section
from nasray.analysis.runs.run import load_run
from nasray.analysis.studies.comparison import comparison_summary


@pytest.fixture
def compared(new_run):
    """Two arms of three seeds each in a space of cells: nobody scores networks."""
    run = new_run(searches=[], comparison={"arms": {"plain": {}, "k3": {}}, "spaces": {"s2": {}}})
    run.comparison()
    return run.path


@pytest.fixture
def scored(new_run):
    """An arm and a trivial measure, and the networks that both score."""
    run = new_run(searches=[], comparison={"arms": {"dna": {}}})
    networks = pd.DataFrame(
        {
            "space": "blocks",
            "architecture": ["a", "b", "c", "d", "e"],
            "group": ["sample"] * 4 + ["found"],
            "accuracy": [0.5, 0.6, 0.7, 0.8, 0.9],
            "dna_seed_0": [4.0, 3.0, 2.0, 1.0, 0.0],
            "MACs": [-1.0, -3.0, -2.0, -4.0, -5.0],
        }
    )
    table = pd.DataFrame(
        {
            "space": "blocks",
            "arm": ["dna", "MACs"],
            "seed": pd.array([0, None], "Int64"),
            "column": ["dna_seed_0", "MACs"],
            "architecture": ["e", "e"],
            "num_params": [1000, 1000],
            "num_macs": [2000, 2000],
            "accuracy": [0.9, 0.9],
            "gain": [0.0, float("nan")],
            "cpu_seconds": [12.0, 0.0],
            "num_unrated": 0,
        }
    )
    networks.to_parquet(run.path / "comparison_networks.parquet")
    table.to_parquet(run.path / "comparison.parquet")
    return run.path


def texts(row):
    return [cell.text for cell in row]


def test_a_run_of_one_search_has_no_section(new_run):
    assert section(load_run(new_run().path)) is None


def test_all_arms_stand_in_one_table_and_each_search_has_its_report(scored):
    (scored / "dna_seed_0").mkdir()
    (scored / "dna_seed_0" / "report.html").touch()
    arms, _, found = section(load_run(scored)).parts
    assert texts(arms.rows[0])[:3] == ["dna", "1", "1.000"]
    assert texts(arms.rows[0])[5:] == ["0.9000", "0.0000", "12", "1,000", "2,000"]
    assert found.rows[0][0].text == '<a href="dna_seed_0/report.html">dna_seed_0</a>'
    assert found.rows[1][0].text == "MACs"


def test_the_page_says_what_the_comparison_gave(scored):
    page = write_report(scored).read_text(encoding="utf-8")
    assert "dna orders the sampled ones best" in page
    assert "4 networks, drawn uniformly within the budgets" in page


def test_the_table_is_that_of_the_terminal(compared):
    arms = section(load_run(compared)).parts[0]
    summary = comparison_summary(pd.read_parquet(compared / "comparison.parquet"))
    for row, expected in zip(arms.rows, summary.to_dict("records"), strict=True):
        assert texts(row)[:2] == [expected["arm"], "3"]
        assert row[2].text == f"{expected['accuracy']:.4f} ± {expected['accuracy_se']:.4f}"
        assert row[3].order == pytest.approx(expected["gain"])
    assert [column.heading for column in arms.columns][-2:] == ["num skips", "alpha eigenvalue"]


def test_a_point_per_seed_is_drawn_in_the_order_of_the_arms(compared):
    chart = section(load_run(compared)).parts[1].charts[0].markup()
    assert "plain, seed 0: 0.8000" in chart
    assert "k3: 0.8600 ± 0.0058" in chart
    assert chart.index("plain, seed 0") < chart.index("k3, seed 0")


def test_one_seed_has_no_error(new_run):
    run = new_run(searches=[], comparison={"arms": {"plain": {}}})
    run.comparison(arms=("plain",), seeds=1)
    arms, found, _ = section(load_run(run.path)).parts
    assert arms.rows[0][2].text == "0.8000"
    assert "nan" not in found.charts[0].markup()


def test_what_is_not_trained_has_no_accuracy(compared):
    path = compared / "comparison.parquet"
    pd.read_parquet(path).assign(accuracy=float("nan"), gain=float("nan")).to_parquet(path)
    built = section(load_run(compared))
    assert built.conclusion == ""
    assert "nan" not in built.parts[1].charts[0].markup()
    assert texts(built.parts[0].rows[0])[2] == "12 ± 0"
