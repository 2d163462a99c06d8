import json

import pandas as pd
import pytest

from nasray.analysis.report.drawing.palette import look
from nasray.analysis.runs.run import load_run
from nasray.methods.sd_darts.section import section
from nasray.pipeline.study import study_summary

BAND = f"opacity: {look('faint')['alpha']}"


@pytest.fixture
def study(new_run):
    run = new_run(study={"arms": {"k3": {}, "plain": {}}, "spaces": {"s2": {}}})
    run.study(arms=("plain", "k3"))
    return run.path


def test_the_summary_is_that_of_the_terminal(study):
    path = study / "study.parquet"
    table = pd.read_parquet(path).assign(
        weight_noise_slope=0.1,
        discretization_gap=0.2,
        held_out_accuracy=0.9,
        held_out_discretized_accuracy=0.7,
    )
    table["alpha_entropy"] = 0.5
    table.to_parquet(path)
    summary = section(load_run(study)).parts[2]
    for row, expected in zip(summary.rows, study_summary(table).to_dict("records"), strict=True):
        assert row[0].text == expected["arm"]
        assert row[2].text == f"{expected['test_accuracy']:.4f} ± {expected['test_accuracy_se']:.4f}"
        assert row[3].order == pytest.approx(expected["gain"])


def test_arms_keep_their_colour_in_the_order_of_the_config(study):
    curves, found, _ = section(load_run(study)).parts
    assert [(key.text, key.role) for key in curves.legend] == [("k3", "s0"), ("plain", "s1")]
    assert "plain, seed 0" in found.charts[0].markup()


def test_the_mean_over_seeds_is_drawn(study):
    eigenvalues = section(load_run(study)).parts[0].charts[0].markup()
    assert "epoch 2: 0.510 ± 0.006" in eigenvalues
    assert eigenvalues.count(BAND) == 2


def test_runs_that_the_study_no_longer_has_are_not_drawn(study):
    path = study / "study.parquet"
    table = pd.read_parquet(path)
    table[table["seed"] == 0].to_parquet(path)
    eigenvalues = section(load_run(study)).parts[0].charts[0].markup()
    assert "epoch 2: 0.500" in eigenvalues
    assert BAND not in eigenvalues


def test_one_search_has_no_legend(full_run):
    built = section(load_run(full_run))
    (figure,) = built.parts
    assert figure.legend == ()
    assert built.lead.startswith("Found after epoch 2:")
    assert len(figure.charts) == 6


def test_a_study_that_is_not_tabulated_shows_its_curves(study):
    (study / "study.parquet").unlink()
    assert len(section(load_run(study)).parts) == 1


def test_one_seed_has_no_error(new_run):
    run = new_run(study={"arms": {"plain": {}}})
    run.study(arms=("plain",), seeds=1)
    curves, found, summary = section(load_run(run.path)).parts
    assert summary.rows[0][2].text == "0.8000"
    assert BAND not in curves.charts[0].markup()
    assert "nan" not in found.charts[0].markup()


def test_what_could_not_be_measured_is_not_drawn(new_run):
    run = new_run(study={"arms": {"plain": {}}, "spaces": {"s2": {}}})
    run.study(arms=("plain",), seeds=1)
    done = run.path / "units" / "sd_darts" / "s2" / "plain" / "seed_0" / "done.json"
    record = json.loads(done.read_text())
    for metrics in record["history"][:-1]:
        metrics["alpha_eigenvalue"] = float("nan")
    done.write_text(json.dumps(record))
    drawn = section(load_run(run.path)).parts[0].charts[0].markup()
    assert "epoch 2: 0.5" in drawn
    assert "epoch 1: 0.000" not in drawn
