"""The evidence from a finished search: networks are trained for real, and the ranking is held to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.tables.criterion import tables_by
from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.trust import calibration
from nasray.analysis.trust.agreement import FEWEST_NETWORKS, agreement
from nasray.errors import UserError
from nasray.evidence.networks import CHOSEN, GROUP, SAMPLE, TOP, choose_networks
from nasray.evidence.plan import retrain_specs, retrain_units, stitch_spec
from nasray.evidence.table import evidence_table
from nasray.execution.execution import Execution
from nasray.methods.method import ranking_method
from nasray.run.folder import RunFolder, read_json
from nasray.scheduling.unit import Unit
from nasray.search_spaces.artefacts.columns import ACCURACY, ARCHITECTURE, SCORE
from nasray.search_spaces.artefacts.criteria import BY_CALIBRATED, CRITERIA
from nasray.search_spaces.files.atomic_file import write_json, write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.block_wise.units.stitch import StitchSpec, read_stitched
from nasray.trainables.inputs import SearchInputs, UnitInputs

# What the agreement calls the score that is ranked by.


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the networks say that were trained for real.

    Attributes:
        networks: See `evidence_table`.
        agreement: See `agreement`, over the best and the sampled ones; None where too few are rated.
        calibration: See `Calibration`, over the same ones; None where they are too few.
        asked: Those that were asked for by name just now.
        coverage: Of which architectures the ranking speaks, from which the best and the sampled ones are chosen; None
            where there is none.
    """

    networks: pd.DataFrame
    agreement: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    asked: tuple[str, ...] = ()
    coverage: Coverage | None = None


def gather_evidence(
    config: ExperimentConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    ranking: pd.DataFrame | None,
    found: Sequence[str],
    execution: Execution,
    chosen: Sequence[str] = (),
) -> Evidence:
    """Train the networks that the config asks for, and those `chosen` beside; leaves table and figures in the folder.

    Networks that were chosen in earlier calls, and trained in the same way, stay in the table.

    Args:
        config: The experiment's config, with a section `retrain`.
        folder: The run's folder, in which the searches are finished.
        inputs: What all units share.
        ranking: The ranking; None: there is none.
        found: What searches found that name one architecture.
        execution: What runs the units.
        chosen: Further architectures.

    Raises:
        SearchFailedError: Trainings failed; those that are done are in the table.
    """
    settings = config.retrain
    assert settings is not None
    tables = load_ratings(folder.path) if ranking is not None else []
    ranked = tables_by(config.ranking.by, tables) if tables else []
    networks = choose_networks(settings, ranking, ranked, found, budgets=config.budgets, seed=config.seed)
    asked = {*networks[ARCHITECTURE], *chosen}
    by_hand = list(dict.fromkeys([*(read_json(folder.chosen) or []), *chosen]))
    networks = _with_chosen(networks, by_hand)
    trainings = {
        name: retrain_specs(settings, config, folder, inputs, name) for name in networks[ARCHITECTURE]
    }
    kept = [name in asked or all(spec.is_done for spec in trainings[name]) for name in networks[ARCHITECTURE]]
    networks = networks[np.array(kept, bool)].reset_index(drop=True)
    specs = [spec for name in networks[ARCHITECTURE] for spec in trainings[name]]
    units = list(retrain_units(specs, inputs))
    stitching = _stitching(config, folder, inputs, ranking, networks[ARCHITECTURE])
    if stitching is not None:
        units.append(Unit(stitching))
    if chosen:
        write_json(folder.chosen, by_hand)
    folder.drop_evidence()
    try:
        execution.run_missing(units, units)
    finally:
        table = evidence_table(networks, trainings, tables, _stitched(stitching), inputs)
        coverage = None if ranking is None else Coverage.read(ranking.attrs)
        evidence = replace(_judge(table, tables, config), asked=tuple(chosen), coverage=coverage)
        write_parquet(folder.agreement, evidence.networks)
        write_json(folder.agreement_figures, evidence.agreement)
        if evidence.calibration is not None:
            write_json(folder.calibration, evidence.calibration)
    return evidence


def _with_chosen(networks: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """The networks, and those chosen by hand that are not among them."""
    more = pd.DataFrame({ARCHITECTURE: list(chosen), GROUP: CHOSEN}, dtype=str)
    return pd.concat([networks, more]).drop_duplicates(ARCHITECTURE, ignore_index=True)


def _stitching(
    config: ExperimentConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    ranking: pd.DataFrame | None,
    architectures: Collection[str],
) -> StitchSpec | None:
    """What puts the trained blocks together, where there are any and the teacher's classes are the data's."""
    wanted = config.retrain is not None and config.retrain.stitched
    if not wanted or not len(architectures) or ranking is None or not isinstance(inputs, SearchInputs):
        return None
    if not ranking_method(config)[1].declaration.imitates_teacher:
        return None
    if inputs.teacher.num_classes not in (None, inputs.summary.num_classes):
        return None
    return stitch_spec(config, folder, inputs, sorted(architectures))


def _stitched(stitching: StitchSpec | None) -> pd.DataFrame | None:
    """The stitched accuracies, if they are measured.

    Raises:
        UserError: Their file is damaged.
    """
    if stitching is None or not stitching.is_done:
        return None
    try:
        return read_stitched(stitching.folder)
    except (OSError, ValueError) as error:  # Arrow's errors are ValueErrors
        raise UserError(
            f"{stitching.folder} must hold a whole table ({error}): remove the folder and run the same command again"
        ) from error


def _judge(table: pd.DataFrame, tables: Sequence[pd.DataFrame], config: ExperimentConfig) -> Evidence:
    """The figures over the best and the sampled networks: those found in other ways were not chosen for them."""
    by = CRITERIA[config.ranking.by].score
    compared = table[GROUP].isin([TOP, SAMPLE])
    figures, rated = None, compared & table[SCORE].notna()
    if rated.sum() >= calibration.FEWEST_NETWORKS:
        calibrated = calibration.calibrate(table[rated], tables, seed=config.seed)
        figures = calibrated.figures
        table = table.assign(
            **{CRITERIA[BY_CALIBRATED].score: pd.Series(calibrated.scores, table.index[rated])}
        )
    judged = table[compared & table[by].notna()]
    if len(judged) < FEWEST_NETWORKS:
        return Evidence(table, None, figures)
    return Evidence(table, agreement(judged, by=by, seed=config.seed), figures)


def evidence_metrics(evidence: Evidence) -> dict[str, float]:
    """The figures to compare searches by: the accuracy of the ranking's first, and the agreement of each predictor.

    Not the best accuracy of all: that would owe something to the test images that choose it.
    """
    metrics = {}
    networks = evidence.networks
    if len(networks) and networks[GROUP][0] == TOP:
        metrics["first_accuracy"] = float(networks[ACCURACY][0])
    if evidence.agreement is not None:
        for name, figures in evidence.agreement["predictors"].items():
            metrics[f"kendall_tau_{name}"] = figures["kendall_tau"]["value"]
    return metrics
