import json
import math

import pytest

from nasray.analysis.exact.ranking import top_architectures
from nasray.inputs.shared import unit_inputs
from nasray.methods.sd_darts.method import SD_DARTS
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.trainables.core.trainable import mark_done
from nasray.trainables.sd_darts.trainable import build_supernet

CELLS = {"source": "nasbench201", "channels": 4, "num_cells": 1}


@pytest.fixture
def searched(tiny):
    """Config, folder and inputs of a search of three epochs, of which the second one's architecture was chosen."""

    def build(**changes):
        config = load_config(tiny(searches=[{"method": "sd_darts"}], teacher=None, **changes))
        folder = RunFolder.of(config)
        unit = folder.unit("sd_darts")
        unit.mkdir(parents=True)
        found = {"architecture": "a", "epoch": 2, "num_params": 10, "num_macs": 20, "weights": {}}
        (unit / "found.json").write_text(json.dumps(found))
        history = [
            {"epoch": 1, "num_skips": 1.0, "alpha_eigenvalue": 0.5, "train_loss": 9.0, "seconds": 2.0},
            {"epoch": 2, "num_skips": 2.0, "seconds": 2.0},
            {"epoch": 3, "num_skips": 3.0, "alpha_eigenvalue": 0.7, "seconds": 3.0},
        ]
        mark_done(unit, "0", history)
        return config, folder, unit_inputs(config, folder)

    return build


def test_what_was_found_and_after_which_epoch(searched):
    _, folder, _ = searched()
    found = SD_DARTS.found(folder)
    assert (found.architecture, found.num_params, found.num_macs, found.epoch) == ("a", 10, 20, 2)


def test_an_unfinished_search_has_found_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        SD_DARTS.found(RunFolder(tmp_path))


def test_figures_are_the_last_ones_up_to_the_chosen_epoch(searched):
    """What is not measured after every epoch is that of the last measured one; the time is that of all."""
    _, folder, _ = searched()
    assert SD_DARTS.figures(folder) == {"num_skips": 2.0, "alpha_eigenvalue": 0.5, "seconds": 7.0}


def test_a_space_of_cells_has_no_scores(searched):
    assert SD_DARTS.scores(*searched(search_space=CELLS)) is None


def test_the_best_score_is_zero_and_others_fall_short_by_their_weights(searched):
    """Wherever there is a choice, the second one's weight is twice as large as each other's."""
    config, folder, inputs = searched()
    alphas = build_supernet(inputs.space).arch_parameters
    found = folder.unit("sd_darts") / "found.json"
    weights = {name: [1.0, 2.0, 1.0][: len(alpha)] for name, alpha in alphas.items()}
    found.write_text(json.dumps(json.loads(found.read_text()) | {"weights": weights}))
    tables = SD_DARTS.scores(config, folder, inputs)
    best = top_architectures(tables, {}, 2)
    assert best["architecture"][0] == "1x12:mb3k3/2x16:sep3,sep3"
    assert best["score"].tolist() == pytest.approx([0, math.log(2)])
    ratings = tables[1].drop_duplicates("candidate").set_index("candidate")["rating"]
    assert ratings["2x16:sep3,skip"] == pytest.approx(math.log(2))
    assert ratings["2x16:skip,mb3k3"] == pytest.approx(2 * math.log(2))
