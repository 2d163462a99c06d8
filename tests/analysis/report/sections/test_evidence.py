import json

import pandas as pd

from nasray.analysis.report.sections.evidence import section
from nasray.analysis.runs.run import load_run
from nasray.analysis.trust.additivity import additivity
from nasray.analysis.trust.agreement import agreement
from nasray.analysis.trust.calibration import calibrate


def test_the_figures_are_those_of_the_file(full_run):
    figures = json.loads((full_run / "agreement.json").read_text())
    scatters, forest, table = section(load_run(full_run)).parts
    assert len(scatters.charts) == 6
    assert len(forest.charts) >= 2
    by_name = {row[0].text: row for row in table.rows}
    one = figures["predictors"]["score"]["kendall_tau"]
    shown = f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]".replace("-", "−")  # noqa: RUF001
    assert by_name["score"][1].text == shown
    assert set(by_name) >= {
        "score",
        "swap-in score",
        "stitched accuracy",
        "parameters",
        "MACs",
        "random order",
    }


def test_the_noise_ceiling_is_a_line_where_there_are_seeds(full_run, new_run):
    assert "noise ceiling" in section(load_run(full_run)).parts[1].charts[0].markup()
    run = new_run()
    run.ratings()
    run.agreement(seeds=1)
    assert "noise ceiling" not in section(load_run(run.path)).parts[1].charts[0].markup()


def test_the_noise_ceiling_is_told_as_no_upper_limit(full_run):
    figures = json.loads((full_run / "agreement.json").read_text())
    caption = section(load_run(full_run)).parts[1].caption
    reached = figures["noise_ceiling"]["attainable_kendall_tau"]["value"]
    assert "means over 2 seeds, so that a good predictor may lie above it" in caption
    assert f"would reach about {reached:.2f} (an estimate of our own" in caption


def test_zero_cost_proxies_have_a_role_of_their_own(new_run):
    run = new_run()
    run.ratings()
    run.agreement()
    networks = pd.read_parquet(run.path / "agreement.parquet")
    plain = section(load_run(run.path))
    assert "zero-cost proxy" not in [key.text for key in plain.parts[1].legend]
    networks["naswot"], networks["synflow"] = networks["accuracy"] ** 2, networks["num_params"] + 0.5
    networks.to_parquet(run.path / "agreement.parquet")
    (run.path / "agreement.json").write_text(json.dumps(agreement(networks, num_resamples=50)))
    scatters, forest, table = section(load_run(run.path)).parts
    assert len(scatters.charts) == len(plain.parts[0].charts) + 2
    assert "zero-cost proxy" in [key.text for key in forest.legend]
    assert {"NASWOT", "synflow"} <= {row[0].text for row in table.rows}


def test_figures_of_earlier_versions_are_shown(new_run):
    run = new_run()
    run.ratings()
    run.agreement()
    figures = json.loads((run.path / "agreement.json").read_text())
    del figures["noise_ceiling"]["attainable_kendall_tau"], figures["verdict"]["best_proxy"]
    (run.path / "agreement.json").write_text(json.dumps(figures))
    assert "may lie above it." in section(load_run(run.path)).parts[1].caption


def test_points_tell_their_architecture(full_run):
    page = section(load_run(full_run)).parts[0].charts[0].markup()
    assert all(text in page for text in load_run(full_run).agreement["architecture"])


def test_too_few_networks_are_shown_but_not_judged(new_run):
    run = new_run()
    run.ratings()
    run.agreement(num=5)
    (run.path / "agreement.json").write_text("null")
    built = section(load_run(run.path))
    assert "too few" in built.lead
    assert len(built.parts) == 1
    networks = pd.read_parquet(run.path / "agreement.parquet")
    networks.head(1).to_parquet(run.path / "agreement.parquet")
    assert section(load_run(run.path)) is None


def test_networks_without_a_score_are_left_out_of_its_chart(new_run):
    run = new_run()
    run.ratings()
    run.agreement()
    networks = pd.read_parquet(run.path / "agreement.parquet")
    networks.loc[0, "score"] = None
    networks["stitched_accuracy"] = float("nan")
    networks.to_parquet(run.path / "agreement.parquet")
    scatters = section(load_run(run.path)).parts[0]
    assert len(scatters.charts) == 5
    assert networks["architecture"].iloc[0] not in scatters.charts[0].markup()


def test_weights_of_blocks_and_their_additivity_are_told_where_they_are_known(new_run):
    run = new_run()
    run.ratings()
    run.agreement()
    networks = pd.read_parquet(run.path / "agreement.parquet")
    plain = section(load_run(run.path))
    calibrated = calibrate(networks, run.tables, num_repeats=2, num_resamples=50)
    networks.assign(calibrated=calibrated.scores).to_parquet(run.path / "agreement.parquet")
    (run.path / "calibration.json").write_text(json.dumps(calibrated.figures))
    swaps = pd.DataFrame({"blocks": "0+1", "alone_sum": [0.1, 0.2, 0.4], "together": [0.1, 0.1, 0.3]})
    (run.path / "additivity.json").write_text(json.dumps(additivity(swaps)))
    told = section(load_run(run.path))
    assert "Weights per block, fitted to 12 networks" in told.lead
    assert "Of blocks in pairs" in told.lead
    assert len(told.parts[0].charts) == len(plain.parts[0].charts) + 1
    (row,) = told.parts[-1].rows
    assert [cell.text for cell in row[:2]] == ["0+1", "3"]
