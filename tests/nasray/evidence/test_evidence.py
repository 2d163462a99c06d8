import io
import json

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from nasray.commands.retrain import retrain
from nasray.experiment import search
from nasray.run.folder import RunFolder, retrain_unit
from nasray.settings.loading import load_config
from nasray.tracking.tracker import tracking_uri
from nasray.trainables.core.trainable import read_done
from nasray.views.evidence import print_evidence

pytestmark = pytest.mark.timeout(600)

TRAIN = {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.01}
EVIDENCE = {"top": 2, "sample": 4, "training_seeds": [0, 1], "train": TRAIN}
SD_DARTS = {
    "method": "sd_darts",
    "epochs": 1,
    "batch_size": 32,
    "self_distillation": None,
    "measure": {"num_images": 16},
}


@pytest.fixture(autouse=True)
def _own_mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def with_evidence(tiny):
    def build(**changes):
        return tiny(retrain=EVIDENCE | changes)

    return build


def units(folder):
    return sorted(str(path.parent.relative_to(folder / "units")) for path in folder.rglob("retrained.json"))


@pytest.fixture(scope="module")
def searched(tiny_in, tmp_path_factory):
    """A search with its evidence; the tests below come in this order, each leaves it as the next one expects it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        plain = tiny_in(tmp_path_factory.mktemp("searched"), retrain=EVIDENCE)
        return plain, search(plain)


def test_a_search_ends_with_evidence(searched):
    plain, result = searched
    networks = result.evidence.networks
    assert list(networks["group"]) == ["top"] * 2 + ["sample"] * 4
    assert list(networks["architecture"][:2]) == list(result.ranking["architecture"][:2])
    assert networks["score"][0] == result.ranking["score"][0]
    assert networks["architecture"].is_unique
    assert (networks["accuracies"].map(len) == 2).all()
    assert networks["accuracy"].between(0, 1).all()
    assert networks["stitched_accuracy"].between(0, 1).all()
    assert networks["swap_in_score"].gt(0).all()
    assert networks[["naswot", "synflow"]].notna().all(axis=None)
    assert {"naswot", "synflow"} <= set(result.evidence.agreement["predictors"])
    settings = load_config(plain).retrain.training
    assert units(result.folder) == sorted(
        retrain_unit(name, settings, seed) for name in networks["architecture"] for seed in (0, 1)
    )
    stored = pd.read_parquet(result.folder / "agreement.parquet")
    pd.testing.assert_frame_equal(stored.drop(columns="accuracies"), networks.drop(columns="accuracies"))
    figures = json.loads((result.folder / "agreement.json").read_text())
    assert figures == json.loads(json.dumps(result.evidence.agreement))
    assert figures["num_networks"] == 6
    assert figures["num_seeds"] == 2
    assert (result.folder / "report.html").stat().st_size > 10_000

    text = io.StringIO()
    print_evidence(result.evidence, Console(width=200, highlight=False, file=text))
    assert "4 more, sampled over the whole range of scores" in text.getvalue()
    lowest, highest = min(networks["accuracies"][0]), max(networks["accuracies"][0])
    assert f"{networks['accuracy'][0]:.4f} ({lowest:.4f} to {highest:.4f})" in text.getvalue()


def test_mlflow_holds_every_training_and_the_figures(searched):
    plain, result = searched
    networks, figures = result.evidence.networks, result.evidence.agreement
    client = MlflowClient(tracking_uri(load_config(plain)))
    experiment = client.get_experiment_by_name("nasray").experiment_id
    runs = client.search_runs([experiment], "tags.kind = 'retrain'")
    assert len(runs) == 12
    assert {run.data.params["architecture"] for run in runs} == set(networks["architecture"])
    (outcome,) = client.search_runs([experiment], "tags.kind = 'result'")
    assert outcome.data.metrics["first_accuracy"] == networks["accuracy"][0]
    assert outcome.data.metrics["kendall_tau_score"] == figures["predictors"]["score"]["kendall_tau"]["value"]
    artifacts = {file.path for file in client.list_artifacts(outcome.info.run_id)}
    assert {"agreement.parquet", "agreement.json", "report.html", "ranking.parquet"} <= artifacts
    (model,) = client.search_logged_models([experiment])
    assert model.source_run_id == outcome.info.run_id


def test_what_is_chosen_by_name_joins_the_table(searched):
    plain, result = searched
    known = set(result.evidence.networks["architecture"])
    name = next(name for name in result.ranking["architecture"] if name not in known)
    evidence = retrain(result.folder, [name])
    chosen = evidence.networks[evidence.networks["group"] == "chosen"]
    assert list(chosen["architecture"]) == [name]
    assert evidence.agreement == result.evidence.agreement
    again = search(plain)
    assert again.num_units_run == 0
    pd.testing.assert_frame_equal(again.evidence.networks, evidence.networks)
    longer = retrain(result.folder, [name], ["retrain.train.epochs=2", "retrain.training_seeds=[5]"])
    assert list(longer.networks["architecture"]) == [name]
    assert len(longer.networks["accuracies"][0]) == 1
    stored = pd.read_parquet(result.folder / "agreement.parquet")
    assert list(stored["accuracy"]) == list(evidence.networks["accuracy"]), "the evidence stays as it was"

    with pytest.raises(ValueError, match="block 0"):
        retrain(result.folder, ["1x99:mb3k3/2x16:sep3,sep3"])
    with pytest.raises(ValueError, match="belongs to another config"):
        retrain(result.folder, [name], ["searches.0.epochs=7"])
    with pytest.raises(ValueError, match="must be the folder of a run"):
        retrain(result.folder / "nowhere", [name])
    with pytest.raises(ValueError, match=r"retrain\.top says which networks make the evidence"):
        retrain(result.folder, [name], ["retrain.top=1"])
    with pytest.raises(ValueError, match="were not kept: run `nasray search`"):
        retrain(result.folder, [name], ["retrain.distillation={multi_step: true}"])


def test_another_order_takes_its_evidence_with_it_a_shorter_list_does_not(searched):
    plain, result = searched
    search(plain, ["ranking.top=7"], stages=["ranking"])
    before = pd.read_parquet(result.folder / "agreement.parquet")
    search(plain, ["ranking.by=swap_in"], stages=["ranking"])
    assert not (result.folder / "agreement.parquet").exists()
    assert not (result.folder / "agreement.json").exists()
    again = search(plain)
    assert again.num_units_run == 0
    assert len(again.evidence.networks) == len(before)


@pytest.mark.slow
def test_inherited_weights_and_a_teacher(with_evidence):
    plain = with_evidence(top=1, sample=0, training_seeds=[3], init="inherited", distillation={"logits": 1.0})
    result = search(plain)
    (row,) = result.evidence.networks.itertuples()
    assert result.evidence.agreement is None
    folder = RunFolder(result.folder).unit(
        retrain_unit(row.architecture, load_config(plain).retrain.training, 3)
    )
    assert read_done(folder)["history"][0]["epoch"] == 1


@pytest.mark.slow
def test_what_sd_darts_found_is_trained_too(tiny):
    searches = [*tiny()["searches"], SD_DARTS]
    plain = tiny(searches=searches, retrain={"top": 1, "sample": 3, "train": TRAIN})
    result = search(plain)
    groups = dict(
        zip(result.evidence.networks["architecture"], result.evidence.networks["group"], strict=True)
    )
    assert groups[result.found["architecture"][0]] in ("found", "top")


@pytest.mark.slow
def test_a_search_of_cells_alone_trains_what_it_found(tiny):
    plain = tiny(
        searches=[SD_DARTS],
        search_space={"source": "nasbench201", "channels": 4, "num_cells": 1},
        retrain={"train": TRAIN},
    )
    result = search({key: value for key, value in plain.items() if key not in ("teacher", "features")})
    (row,) = result.evidence.networks.itertuples()
    assert row.group == "found"
    assert row.architecture == result.found["architecture"][0]
    assert pd.isna(row.score)
    assert pd.isna(row.depth)
    assert result.evidence.agreement is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training_seeds": [1, 1]}, "must differ, got 1, 1"),
        ({"training_seeds": []}, "at least 1"),
        ({"top": -1}, "greater than or equal to 0"),
        ({"trian": {}}, "did you mean train"),
    ],
)
def test_mistakes(with_evidence, changes, message):
    with pytest.raises(ValueError, match=message):
        load_config(with_evidence(**changes))


def test_inheriting_needs_a_search_of_blocks(tiny):
    with pytest.raises(ValueError, match="must go with a search that trains blocks, such as dna"):
        load_config(tiny(searches=[SD_DARTS], retrain={"init": "inherited"}))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_enough_networks_give_weights_of_blocks(with_evidence):
    plain = with_evidence(sample=12, training_seeds=[0], stitched=False)
    result = search(plain)
    figures = json.loads((result.folder / "calibration.json").read_text())
    assert figures == result.evidence.calibration
    assert figures["num_networks"] == len(result.evidence.networks) >= 12
    assert len(figures["weights"]["rating"]) == 2
    assert result.evidence.networks["calibrated"].notna().all()
    assert "calibrated" in result.evidence.agreement["predictors"]
    text = io.StringIO()
    print_evidence(result.evidence, Console(width=200, highlight=False, file=text))
    assert ("--by calibrated" in text.getvalue()) == figures["helps"]

    search(plain, ["ranking.top=20"], stages=["ranking"])
    assert (result.folder / "calibration.json").exists(), "more of the same order are listed"
    search(plain, ["ranking.by=swap_in"], stages=["ranking"])
    assert not (result.folder / "calibration.json").exists(), "it belonged to another ranking"


@pytest.mark.slow
def test_a_ranking_by_swap_in_has_its_evidence(with_evidence):
    plain = with_evidence(top=1, sample=4, training_seeds=[0], stitched=False)
    result = search(plain, ["ranking.by=swap_in"])
    assert result.ranking["score"].is_monotonic_increasing
    networks = result.evidence.networks
    assert networks["swap_in_score"][0] == result.ranking["score"][0]
    assert networks["score"][0] != result.ranking["score"][0]
    assert result.evidence.agreement["verdict"]["predictor"] == "swap_in_score"
    assert result.evidence.calibration is None
    again = search(plain, ["ranking.by=swap_in"])
    assert again.num_units_run == 0
    assert again.ranking.attrs["by"] == "swap_in"


def test_a_ranking_by_swap_in_needs_such_ratings(with_evidence):
    with pytest.raises(
        ValueError, match=r"ranking\.by: swap_in .* searches\.0\.rating\.swap_in_images above 0"
    ):
        load_config(with_evidence(), ["ranking.by=swap_in", "searches.0.rating.swap_in_images=0"])
