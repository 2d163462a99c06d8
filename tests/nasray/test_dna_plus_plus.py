"""A search without labels goes the way of all searches: units, tables, ranking, evidence."""

import json

import numpy as np
import pytest

from nasray.commands.additivity import measure_additivity
from nasray.experiment import search
from nasray.run.folder import RunFolder

pytestmark = pytest.mark.timeout(600)

AUGMENTED = {
    "source": "digits",
    "num_train_images": 256,
    "num_held_out_images": 64,
    "augment": {"crop_padding": 1},
}
SEARCH = {
    "method": "dna_plus_plus",
    "epochs": 1,
    "projection_width": 8,
    "hidden_width": 16,
    "rating": {
        "num_batches": 2,
        "calibration_images": 64,
        "calibration_batch_size": 32,
        "swap_in_images": 0,
    },
}
EVIDENCE = {
    "top": 1,
    "sample": 3,
    "training_seeds": [0],
    "init": "inherited",
    "train": {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.002},
}


@pytest.fixture
def label_free(tiny):
    return lambda **changes: tiny(
        **{"data": AUGMENTED, "searches": [SEARCH], "features": {"mode": "online"}} | changes
    )


def test_all_are_ranked_and_some_trained_from_the_blocks_weights(label_free):
    result = search(label_free(retrain=EVIDENCE))
    assert len(result.ranking) == result.num_architectures == (2 * 2 + 2) * 3 * 3
    assert result.ranking["score"].between(0, 8).all()
    assert result.ranking.attrs["certificate"]["proved"]
    figures = json.loads((result.folder / "agreement.json").read_text())
    assert "stitched_accuracy" not in figures["predictors"]  # its blocks do not lead to the teacher's head
    with pytest.raises(ValueError, match="RUN must hold a search whose blocks learn"):
        measure_additivity(result.folder)


@pytest.mark.slow
def test_a_trunk_needs_no_training_and_views_may_be_cached(label_free):
    scores = {}
    for mode in ("cached", "online"):
        config = label_free(name=mode, teacher={"source": "largest"}, features={"mode": mode, "views": 2})
        result = search(config)
        scores[mode] = result.ranking.set_index("architecture")["score"]
        assert RunFolder(result.folder).read_config().features.held_out_views == 2
    assert len(scores["cached"]) == 54
    np.testing.assert_allclose(scores["cached"], scores["online"].reindex(scores["cached"].index), rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": {key: AUGMENTED[key] for key in AUGMENTED if key != "augment"}},
            "data.augment must be given",
        ),
        ({"features": {"mode": "cached", "views": 1}}, "features.views must be at least 2 .* got 1"),
        ({"features": {"mode": "online", "held_out_views": 3}}, "held_out_views must be left out, or be 2"),
        (
            {"searches": [SEARCH, {"method": "dna"}]},
            "only one search may rate all candidates, got dna_plus_plus and dna",
        ),
    ],
)
def test_what_does_not_fit_is_refused(label_free, changes, message):
    with pytest.raises(ValueError, match=message):
        search(label_free(**changes))
