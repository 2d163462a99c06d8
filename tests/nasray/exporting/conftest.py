from functools import cache

import pytest

from nasray.evidence.plan import retrain_specs
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.units import run_unit

CHAIN = {
    "source": "declared",
    "stem": [{"operation": "conv3", "width": 8}],
    "head_width": 24,
    "dropout": 0.1,
    "blocks": [
        {"stride": 2, "operations": ["skip", "mb3k3"], "cells": [{"depth": 2, "width": 8}]},
        {"stride": 2, "operations": ["sep3", "mb3k3se"], "cells": [{"depth": 1, "width": 16}]},
    ],
}
HYBRID = {
    "source": "declared",
    "stem": [{"operation": "patch", "width": 8, "stride": 2}],
    "head_width": 24,
    "blocks": [
        {"stride": 1, "operations": ["mb3k3", "att2x16r2c"], "cells": [{"depth": 2, "width": 8}]},
        {"stride": 2, "operations": ["sep3", "att1x16r2"], "cells": [{"depth": 1, "width": 16}]},
    ],
}
# Of each space, a config and an architecture.
SPACES = {
    "chain": (CHAIN, "2x8:mb3k3,skip/1x16:mb3k3se"),
    "hybrid": (HYBRID, "2x8:mb3k3,att2x16r2c/1x16:att1x16r2"),
    "nasbench201": (
        {"source": "nasbench201", "channels": 6, "num_cells": 1},
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|",
    ),
    "darts": (
        {"source": "darts_s0", "channels": 4, "num_cells": 4},
        "normal:|sep_conv_3x3~0|skip_connect~1|+|sep_conv_5x5~0|max_pool_3x3~2|+|dil_conv_3x3~1|skip_connect~2|"
        "+|avg_pool_3x3~0|sep_conv_3x3~4|"
        "/reduction:|max_pool_3x3~0|sep_conv_3x3~1|+|skip_connect~1|dil_conv_5x5~2|+|skip_connect~0|avg_pool_3x3~3|"
        "+|sep_conv_3x3~1|max_pool_3x3~2|",
    ),
}


@pytest.fixture
def trained(tmp_path):
    """Makes a run in whose folder architectures were trained on the digits for some steps."""

    def build(space, *architectures, **changes):
        return _train(tmp_path / "runs", space, architectures, **changes)

    return build


@pytest.fixture(scope="session")
def of_each_space(tmp_path_factory):
    """Gives a run of one of `SPACES`, in which its architecture was trained; all tests share it."""

    @cache
    def build(name):
        space, architecture = SPACES[name]
        return _train(tmp_path_factory.mktemp("runs"), space, [architecture])

    return build


def _train(root, space, architectures, seeds=(0,), **changes):
    train = {"epochs": 3, "batch_size": 32, "optimizer": "adamw", "lr": 0.01, "warmup_epochs": 0}
    plain = {
        "name": "small",
        "data": {"source": "digits", "num_train_images": 320, "num_held_out_images": 128},
        "search_space": space,
        "searches": [{"method": "sd_darts"}],
        "retrain": {"train": train, "training_seeds": list(seeds)},
        "storage": {"root": str(root)},
    }
    config = load_config(plain | changes)
    folder = RunFolder.of(config)
    inputs = unit_inputs(config, folder)
    folder.claim(config, inputs, {})
    folder.record_environment(config.seed)
    for architecture in architectures:
        for spec in retrain_specs(config.retrain, config, folder, inputs, architecture):
            assert list(run_unit(spec))
    return folder.path
