"""The ranking in a run's folder: kept as long as it is what the same tables, budgets and settings would give."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from nasray.analysis.counting.coverage import NUM_LEFT_OUT, Coverage
from nasray.analysis.runs.rank import (
    certificate,
    file_digest,
    is_same_order,
    rank_run,
    ranking_inputs,
    write_ranking,
)
from nasray.run.folder import RunFolder, read_json
from nasray.search_spaces.files.atomic_file import write_json
from nasray.settings.experiment import ExperimentConfig

_DIGEST, _OWN_DIGEST = "ranking_sha256", "sha256"


def rank_again(config: ExperimentConfig, folder: RunFolder) -> pd.DataFrame:
    """The run's ranking; made anew unless it is there, proved, and made from the same tables, budgets and settings.

    What was gathered for another order, or compared with it, goes with it.
    """
    settings = config.ranking
    inputs = ranking_inputs(folder.path, config.budgets, settings.top, settings.num_resamples, settings.by)
    stored = _stored_ranking(folder, inputs)
    if stored is not None:
        return stored
    before = _read_certificate(folder)
    folder.certificate.unlink(missing_ok=True)
    if before is None or not is_same_order(before["inputs"], inputs):
        folder.drop_evidence()
        for path in (folder.baselines, folder.baseline_trainings):
            path.unlink(missing_ok=True)
    ranking = rank_run(
        folder.path,
        config.budgets,
        settings.top,
        settings.time_limit_seconds,
        settings.num_resamples,
        settings.by,
    )
    write_ranking(ranking, folder.ranking)
    content = {**certificate(ranking, inputs), _DIGEST: file_digest(folder.ranking)}
    write_json(folder.certificate, {**content, _OWN_DIGEST: _digest(content)})
    return ranking


def _read_certificate(folder: RunFolder) -> dict[str, Any] | None:
    """What is proved of the ranking that is there; None where that is not known, or the file is damaged."""
    found = read_json(folder.certificate)
    is_whole = isinstance(found, dict) and found.pop(_OWN_DIGEST, None) == _digest(found)
    return found if is_whole else None


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _stored_ranking(folder: RunFolder, inputs: Mapping[str, Any]) -> pd.DataFrame | None:
    """The ranking that is there, if it is whole, proved, and made from these inputs."""
    found = _read_certificate(folder)
    if found is None or not found["proved"] or found["inputs"] != inputs:
        return None
    if NUM_LEFT_OUT not in found:  # of an earlier version, which did not say what it leaves out
        return None
    try:
        if file_digest(folder.ranking) != found.get(_DIGEST):
            return None
        ranking = pd.read_parquet(folder.ranking)
    except (OSError, ValueError):  # gone or damaged; Arrow's errors are ValueErrors
        return None
    covered = Coverage.read(found).data()
    ranking.attrs |= covered
    ranking.attrs["by"] = found["inputs"]["by"]
    ranking.attrs["certificate"] = {
        key: value for key, value in found.items() if key not in ("inputs", _DIGEST, *covered)
    }
    return ranking
