import json

import pandas as pd
import pytest

from nasray.analysis.report.drawing.palette import look
from nasray.analysis.runs.run import load_run
from nasray.methods.sd_darts.section import section
from nasray.run.report_page import report

BAND = f"opacity: {look('faint')['alpha']}"


@pytest.fixture
def compared(new_run):
    """Two arms of three seeds each in the space s2."""
    run = new_run(searches=[], comparison={"arms": {"plain": {}, "k3": {}}, "spaces": {"s2": {}}})
    run.comparison()
    return run.path


def drawn(path):
    """The figure of the one space, and the chart of its eigenvalues."""
    (figure,) = section(load_run(path)).parts
    return figure, figure.charts[0].markup()


def test_a_run_without_such_a_search_has_no_section(new_run):
    assert section(load_run(new_run().path)) is None


def test_arms_keep_their_colour_in_the_order_of_the_comparison(compared):
    figure, _ = drawn(compared)
    assert figure.title == "While they searched: s2"
    assert [(key.text, key.role) for key in figure.legend] == [("plain", "s0"), ("k3", "s1")]


def test_the_mean_over_seeds_is_drawn(compared):
    _, eigenvalues = drawn(compared)
    assert "epoch 2: 0.510 ± 0.006" in eigenvalues
    assert eigenvalues.count(BAND) == 2


def test_searches_that_the_comparison_no_longer_has_are_not_drawn(compared):
    path = compared / "comparison.parquet"
    table = pd.read_parquet(path)
    table[table["seed"] == 0].to_parquet(path)
    _, eigenvalues = drawn(compared)
    assert "epoch 2: 0.500" in eigenvalues
    assert BAND not in eigenvalues


def test_one_search_has_no_legend(full_run):
    built = section(load_run(full_run))
    (figure,) = built.parts
    assert figure.legend == ()
    assert built.lead.startswith("Found after epoch 2:")
    assert len(figure.charts) == 6


def test_one_seed_has_no_error(new_run):
    run = new_run(searches=[], comparison={"arms": {"plain": {}}})
    run.comparison(arms=("plain",), seeds=1)
    assert BAND not in drawn(run.path)[1]


def test_what_could_not_be_measured_is_not_drawn(new_run):
    run = new_run(searches=[], comparison={"arms": {"plain": {}}})
    run.comparison(arms=("plain",), seeds=1)
    done = run.path / "s2.plain_seed_0" / "units" / "sd_darts" / "done.json"
    record = json.loads(done.read_text())
    for metrics in record["history"][:-1]:
        metrics["alpha_eigenvalue"] = float("nan")
    done.write_text(json.dumps(record))
    _, eigenvalues = drawn(run.path)
    assert "epoch 2: 0.5" in eigenvalues
    assert "epoch 1: 0.000" not in eigenvalues


def test_a_search_that_found_nothing_yet_shows_its_curves(new_run, tmp_path):
    run = new_run(searches=[{"method": "sd_darts"}])
    run.search("sd_darts", 0.5)
    assert "Found after" not in section(load_run(run.path)).lead
    row = {"search": "sd_darts", "architecture": "|none~0|", "epoch": 2, "num_params": 10, "num_macs": 100}
    pd.DataFrame([row]).to_parquet(run.path / "found.parquet")
    page = report(run.path, tmp_path / "page.html").read_text()
    assert "Found after epoch 2: |none~0|." in page
