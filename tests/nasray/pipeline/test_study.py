import json

import numpy as np
import pandas as pd
import pytest

from nasray.inputs.shared import unit_inputs
from nasray.methods.sd_darts.plan import study_runs, study_units
from nasray.pipeline.study import GAIN, MEASURED, study_summary, study_table
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.core.trainable import mark_done

STUDY = {
    "seeds": [0, 1, 2],
    "arms": {"taught": {"self_distillation": {"start_epoch": 1}}, "plain": {"self_distillation": None}},
}


@pytest.fixture
def runs(tiny):
    plain = tiny(
        searches=[{"method": "sd_darts", "epochs": 3, "self_distillation": None}], teacher=None, study=STUDY
    )
    config = load_config(plain)
    folder = RunFolder.of(config)
    return list(study_runs(config, folder, unit_inputs(config, folder)))


def finish(run, *, epoch=3, num_epochs=3, accuracy=0.9):
    """Leave the files of a run whose search measured after epochs 2 and 3."""
    history = []
    for number in range(1, num_epochs + 1):
        metrics = {"epoch": number, "num_skips": float(number), "alpha_entropy": 0.5 / number, "seconds": 2.0}
        if number > 1:
            measured = ("alpha_eigenvalue", "weight_noise_slope", "discretization_gap")
            metrics |= dict.fromkeys(measured, number + run.seed / 10)
            metrics |= {
                "held_out_accuracy": 0.8,
                "held_out_discretized_accuracy": 0.8 - metrics["discretization_gap"],
            }
        history.append(metrics)
    run.search.folder.mkdir(parents=True)
    found = {"architecture": f"a{run.seed}", "epoch": epoch, "num_params": 10, "num_macs": 20, "weights": {}}
    (run.search.folder / "found.json").write_text(json.dumps(found))
    mark_done(run.search.folder, run.search.fingerprint, history)
    run.retraining.folder.mkdir(parents=True)
    (run.retraining.folder / "retrained.json").write_text(
        json.dumps({"architecture": f"a{run.seed}", "test_accuracy": accuracy})
    )
    mark_done(run.retraining.folder, run.retraining.fingerprint, [])


def test_the_longest_search_is_that_with_most_teachers(tiny):
    arms = {
        "plain": {"self_distillation": None},
        "k1": {"self_distillation": {"num_snapshots": 1}},
        "k5": {"self_distillation": {"num_snapshots": 5}},
        "cache": {"self_distillation": {"num_snapshots": 5, "mode": "cache"}},
    }
    study = {"seeds": [0], "arms": arms}
    config = load_config(tiny(searches=[{"method": "sd_darts", "epochs": 9}], teacher=None, study=study))
    folder = RunFolder.of(config)
    costs = [unit.cost for unit in study_units(config, folder, unit_inputs(config, folder))][::2]
    plain, k1, k5, cache = costs
    assert plain == cache < k1 < k5
    # Per image, three passes of an epoch; a teacher's sees half of the images, from the fourth epoch on.
    assert k5 / plain == pytest.approx((3 * 9 + 5 * 0.5 * 6) / (3 * 9))


def test_a_row_tells_what_a_run_gave(runs):
    for run in runs:
        finish(run)
    table = study_table(runs)
    assert list(table["arm"]) == ["taught"] * 3 + ["plain"] * 3
    assert table.loc[1].to_dict() == {
        "space": "declared",
        "arm": "taught",
        "seed": 1,
        "architecture": "a1",
        "epoch": 3,
        "num_params": 10,
        "num_macs": 20,
        "test_accuracy": 0.9,
        "num_skips": 3.0,
        "alpha_eigenvalue": 3.1,
        "weight_noise_slope": 3.1,
        "discretization_gap": 3.1,
        "held_out_accuracy": 0.8,
        "held_out_discretized_accuracy": pytest.approx(-2.3),
        "alpha_entropy": pytest.approx(0.5 / 3),
        "seconds": 6.0,
        "gain": 0.0,
    }


def test_figures_are_those_of_the_chosen_epoch(runs):
    finish(runs[0], epoch=2)
    row = study_table(runs[:1]).iloc[0]
    assert (row["epoch"], row["num_skips"], row["alpha_eigenvalue"], row["seconds"]) == (2, 2.0, 2.0, 6.0)


def test_a_summary_has_means_and_standard_errors():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {
                "space": space,
                "arm": arm,
                "seed": seed,
                **dict(zip((*MEASURED, GAIN), rng.random(len(MEASURED) + 1), strict=True)),
            }
            for space in ("z", "a")
            for arm in ("taught", "plain")
            for seed in range(4)
        ]
    )
    summary = study_summary(table)
    assert list(zip(summary["space"], summary["arm"], summary["num_runs"], strict=True)) == [
        (space, arm, 4) for space in ("z", "a") for arm in ("taught", "plain")
    ]
    for name in (*MEASURED, GAIN):
        values = table.loc[(table["space"] == "a") & (table["arm"] == "taught"), name].to_numpy()
        row = summary.iloc[2]
        assert row[name] == pytest.approx(values.mean())
        assert row[f"{name}_se"] == pytest.approx(values.std(ddof=1) / 2)


def test_one_run_has_no_standard_error(runs):
    finish(runs[0])
    summary = study_summary(study_table(runs[:1]))
    assert summary["num_runs"].tolist() == [1]
    assert summary["test_accuracy_se"].isna().all()


def test_runs_that_are_not_finished_are_left_out(runs):
    for run in runs[1:]:
        finish(run)
    (runs[-1].retraining.folder / "done.json").unlink()
    table = study_table(runs)
    assert list(zip(table["arm"], table["seed"], strict=True)) == [
        ("taught", 1),
        ("taught", 2),
        ("plain", 0),
        ("plain", 1),
    ]


def test_the_gain_is_over_the_first_arms_run_of_the_same_seed(runs):
    accuracies = {"taught": [0.6, 0.95, 0.9], "plain": [0.5, 0.9, 0.7]}
    for run in runs:
        finish(run, accuracy=accuracies[run.arm][run.seed])
    summary = study_summary(study_table(runs)).set_index("arm")
    differences = np.subtract(accuracies["plain"], accuracies["taught"])
    assert summary.loc["taught", "gain"] == 0
    assert summary.loc["plain", "gain"] == pytest.approx(differences.mean())
    assert summary.loc["plain", "gain_se"] == pytest.approx(differences.std(ddof=1) / np.sqrt(3))


def test_no_other_arm_takes_the_first_ones_place(runs):
    """Where the first arm's run is not done there is no gain."""
    for run in runs[2:]:  # the first arm's last seed, and the other arm
        finish(run, accuracy=0.5 + run.seed / 10)
    table = study_table(runs).set_index(["arm", "seed"])
    assert table.loc[("plain", 2), "gain"] == 0
    assert table["gain"].isna().sum() == 2
    assert study_table(runs[3:])["gain"].tolist() == [0, 0, 0]
