"""A vision transformer as teacher, whose features are tokens, and a space of attention and convolutions."""

import pandas as pd
import pytest

from nasray.experiment import search

pytestmark = pytest.mark.timeout(600)

SPACE = {
    "source": "declared",
    "stem": [{"operation": "patch", "width": 16, "stride": 2}],
    "head_width": 32,
    "blocks": [
        {
            "stride": 1,
            "operations": ["att1x16r2", "mb3k3"],
            "cells": [{"depth": 2, "width": 16}, {"depth": 1, "width": 24}],
        },
        {"stride": 1, "operations": ["skip", "att2x16r2c"], "cells": [{"depth": 1, "width": 24}]},
    ],
}


def teacher(*layers):
    return {
        "source": "nasray.trainables.teacher.small_vit:small_vit",
        "cuts": [f"encoder.layers.encoder_layer_{layer}" for layer in layers],
        "train": {"epochs": 2, "batch_size": 64, "optimizer": "adamw", "lr": 0.002},
    }


def test_a_search_between_tokens_is_ranked_stitched_and_retrained(tiny):
    evidence = {
        "top": 1,
        "sample": 3,
        "training_seeds": [0],
        "train": {"epochs": 1, "batch_size": 64, "optimizer": "adamw", "lr": 0.002},
        "distillation": {"logits": 1.0, "features": 1.0},
    }
    result = search(tiny(search_space=SPACE, teacher=teacher(1, 4), retrain=evidence))
    assert result.num_architectures == len(result.ranking) == (2 * 2 + 2) * 2
    assert result.ranking.attrs["certificate"]["proved"]
    assert result.ranking["score"].between(0, 5).all()
    agreement = pd.read_parquet(result.folder / "agreement.parquet")
    assert len(agreement) == 3  # the first is in the sample, too
    assert agreement[["stitched_accuracy", "accuracy", "swap_in_score"]].notna().all(axis=None)


def test_places_and_tokens_must_be_as_many(tiny):
    space = SPACE | {"stem": [{"operation": "patch", "width": 16, "stride": 4}]}
    with pytest.raises(
        ValueError, match=r"block 0 of the space puts out 2x2, .* at cut 0 are 17 tokens, not one"
    ):
        search(tiny(search_space=space, teacher=teacher(1, 4)))
