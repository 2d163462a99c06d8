"""The table and figures of a search's generations, and the rule that ends them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nasray import analysis
from nasray.analysis.counting.coverage import NUM_LEFT_OUT
from nasray.analysis.studies.ranking_change import compare_rankings
from nasray.methods.dna_plus.generation import generation_name
from nasray.methods.dna_plus.settings import DnaPlusConfig
from nasray.run.folder import RunFolder, retrain_unit
from nasray.run.parts import leave_parts
from nasray.search_spaces.artefacts.columns import (
    ARCHITECTURE,
    HELD_OUT_ACCURACY,
    NUM_MACS,
    NUM_PARAMS,
    SCORE,
    TEST_ACCURACY,
)
from nasray.search_spaces.files.atomic_file import write_json, write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.retrain.trainable import read_retrained

MARGIN, COUNT = "margin", "count"


def generation_row(config: ExperimentConfig, folder: RunFolder, before: RunFolder | None) -> dict[str, Any]:
    """What a finished generation gave.

    - `teacher`, `teacher_accuracy` on the held-out images, 0 to 1, `teacher_num_params`;
    - `kendall_tau` between scores and accuracies of the networks trained for real, with the ends `kendall_tau_low` and
      `kendall_tau_high` of its interval of 95%, and `num_networks`; NaN where these are too few;
    - `num_left_out`, how many architectures within the budgets are not ranked, at most, since candidates of theirs have
      no rating;
    - `architecture`, the best of the others, with `score`, `num_params`, `num_macs`, and the means over training
      seeds of `held_out_accuracy` and `test_accuracy`, 0 to 1;
    - `ranking_tau`, `num_compared`, `num_shared`: see `Change`, from the ranking before to this
      one; NaN in the first generation.

    Args:
        config: The generation's own config.
        folder: Its folder.
        before: The folder of the generation before; None: it is the first.
    """
    run = analysis.load_run(folder.path)
    assert run.teacher is not None
    assert run.ranking is not None
    assert run.coverage is not None
    best = run.ranking.iloc[0]
    accuracies = _accuracies(config, folder, best[ARCHITECTURE])
    teacher = config.teacher
    assert teacher is not None
    return {
        "teacher": teacher.architecture or teacher.source,
        "teacher_accuracy": run.teacher["held_out_accuracy"],
        "teacher_num_params": run.teacher["num_params"],
        **_agreement(run.agreement_figures),
        NUM_LEFT_OUT: float(run.coverage.left_out.upper),
        ARCHITECTURE: best[ARCHITECTURE],
        SCORE: best[SCORE],
        NUM_PARAMS: int(best[NUM_PARAMS]),
        NUM_MACS: int(best[NUM_MACS]),
        **accuracies,
        **_change(config, run, before),
    }


def generations_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows of all generations, numbered from 1 on in `generation`; `gain` is in held-out accuracy."""
    table = pd.DataFrame(rows)
    table.insert(0, "generation", np.arange(1, len(rows) + 1))
    table["gain"] = table[HELD_OUT_ACCURACY].diff()
    return table


def ended_by(table: pd.DataFrame, settings: DnaPlusConfig) -> str | None:
    """Why the last generation of a table is the last: "margin" or "count"; None: another one follows."""
    if table["gain"].iloc[-1] < settings.margin:
        return MARGIN
    return COUNT if len(table) >= settings.generations else None


def best_generation(table: pd.DataFrame) -> int:
    """The number of the generation whose best architecture has the highest held-out accuracy, the first of equals."""
    return int(table["generation"].iloc[int(table[HELD_OUT_ACCURACY].to_numpy().argmax())])


def leave_generations(folder: RunFolder, table: pd.DataFrame, settings: DnaPlusConfig) -> None:
    """Write table and figures into the folder of all generations."""
    leave_parts(folder, [generation_name(number) for number in table["generation"]])
    write_parquet(folder.generations, table)
    figures = {
        "best_generation": best_generation(table),
        "ended_by": ended_by(table, settings),
        "margin": settings.margin,
        "generations": settings.generations,
    }
    write_json(folder.generations_figures, figures)


def _accuracies(config: ExperimentConfig, folder: RunFolder, architecture: str) -> dict[str, float]:
    """The means over the training seeds of an architecture that was trained for real."""
    settings = config.retrain
    assert settings is not None
    found = [
        read_retrained(folder.unit(retrain_unit(architecture, settings.training, seed)))
        for seed in settings.training_seeds
    ]
    return {name: float(np.mean([one[name] for one in found])) for name in (HELD_OUT_ACCURACY, TEST_ACCURACY)}


def _agreement(figures: dict[str, Any] | None) -> dict[str, float]:
    """The agreement of the score that is ranked by, NaN where it was not measured."""
    tau = {} if figures is None else figures["predictors"][figures["verdict"]["predictor"]]["kendall_tau"]
    return {
        "kendall_tau": tau.get("value", np.nan),
        "kendall_tau_low": tau.get("low", np.nan),
        "kendall_tau_high": tau.get("high", np.nan),
        "num_networks": 0 if figures is None else figures["num_networks"],
    }


def _change(config: ExperimentConfig, run: analysis.Run, before: RunFolder | None) -> dict[str, float]:
    if before is None:
        return dict.fromkeys(("ranking_tau", "num_compared", "num_shared"), np.nan)
    change = compare_rankings(
        _ranked(analysis.load_run(before.path)), _ranked(run), config.budgets, seed=config.seed
    )
    return {
        "ranking_tau": change.kendall_tau,
        "num_compared": float(change.num_compared),
        "num_shared": float(change.num_shared),
    }


def _ranked(run: analysis.Run) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """A finished run's ranking and ratings."""
    assert run.ranking is not None
    assert run.tables is not None
    return run.ranking, run.tables
