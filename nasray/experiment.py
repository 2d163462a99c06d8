"""The search from its config to the ranking: its stages, what each needs, and what each leaves in the run's folder."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from nasray.config import ExperimentConfig, ResourcesConfig
from nasray.config_file import load_config
from nasray.live_view import LiveView
from nasray.plan import FEATURES, RATINGS, TEACHER, plan_search, rating_tables, still_to_do
from nasray.rank import certificate, file_digest, rank_run, ranking_inputs, write_ranking
from nasray.resolve import resolve
from nasray.run_folder import RunFolder, read_json
from nasray.schedule import DriverCallback, Unit, check_resources, ray_cluster, run_schedule
from nasray.tracking import Tracker, TrackTrials
from search_spaces.atomic_file import write_json

RANKING = "ranking"
STAGES = (TEACHER, FEATURES, RATINGS, RANKING)


class SearchFailedError(RuntimeError):
    """Units of the search failed; what the others left is kept, and the same command goes on from there."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search gives.

    Attributes:
        folder: The run's folder.
        ranking: The best architectures, best first; None if the ranking's stage was not asked for.
        num_architectures: Size of the search space.
        num_units_run: Units that ran in this launch; the others' results were there already.
        seconds: Time of this launch.
    """

    folder: Path
    ranking: pd.DataFrame | None
    num_architectures: int
    num_units_run: int
    seconds: float


def search(
    config: str | Path | Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    *,
    stages: Sequence[str] = STAGES,
    console: Console | None = None,
) -> SearchResult:
    """Search: teacher, features, the blocks' ratings, the ranking of all architectures.

    What an earlier launch left is kept where it belongs to the same inputs, so that the same call after an
    interruption goes on.

    Args:
        config: A file, a shipped config's name, or plain data; None: the digits.
        overrides: Changes to it, as "a.b=value".
        stages: Which to run, of "teacher", "features", "ratings", "ranking"; what a stage needs is run with it.
        console: Where to show what runs; None: nowhere.

    Raises:
        ValueError: A mistake in the config, the data, or the run's folder.
        SearchFailedError: Units failed.
    """
    start = time.monotonic()
    requested = load_config(config, overrides)
    unknown = sorted(set(stages) - set(STAGES))
    if unknown:
        raise ValueError(f"stages must be of {', '.join(STAGES)}, got {', '.join(unknown)}")
    folder = RunFolder.of(requested)
    console = console or Console(quiet=True)
    resolved, inputs = resolve(requested, folder)
    _ = inputs.images  # missing files are an error here, not on every node
    folder.check(resolved)
    with folder.locked():
        plan = plan_search(resolved, folder, inputs)
        folder.claim(resolved, rating_tables(plan))
        units = [unit for stage in plan.values() for unit in stage]
        wanted = [RATINGS if stage == RANKING else stage for stage in stages]
        targets = [unit for stage in wanted for unit in plan[stage]]
        to_run, done = still_to_do(units, targets)
        tracker = Tracker(resolved, folder)
        tracker.catch_up(unit.spec for unit in units if unit.name in done)
        if to_run:
            folder.record_environment(resolved.seed)
            with LiveView(to_run, console) as view:
                _run(to_run, done, resolved.resources, folder, [view, TrackTrials(tracker)])
        ranking = _rank(resolved, folder) if RANKING in stages else None
        result = SearchResult(
            folder.path, ranking, inputs.space.num_architectures, len(to_run), time.monotonic() - start
        )
        if ranking is not None:
            tracker.log_result(_result_metrics(result), digest=file_digest(folder.ranking))
    return result


def _run(
    units: Sequence[Unit],
    done: set[str],
    resources: ResourcesConfig,
    folder: RunFolder,
    callbacks: Sequence[DriverCallback],
) -> None:
    """Run the units in one schedule.

    Raises:
        SearchFailedError: Some failed; the message gives the reasons.
    """
    with ray_cluster(resources):
        check_resources(units, resources)
        failures = run_schedule(units, done, resources, folder.tune, callbacks)
    unfinished = [unit.name for unit in units if unit.name not in failures and not unit.spec.is_done]
    if unfinished and not failures:
        failures = dict.fromkeys(unfinished, "it did not run to its end")
    if failures:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failures.items())
        raise SearchFailedError(
            f"{len(failures)} of {len(units)} units failed; the others' results are kept in {folder.path}:\n{reasons}"
        )


def _rank(config: ExperimentConfig, folder: RunFolder) -> pd.DataFrame:
    """The run's ranking; made anew unless it is there, proved, and made from the same tables, budgets and length."""
    inputs = ranking_inputs(folder.path, config.budgets, config.ranking.top)
    found = read_json(folder.certificate)
    if found is not None and found["proved"] and found["inputs"] == inputs and folder.ranking.exists():
        ranking = pd.read_parquet(folder.ranking)
        ranking.attrs["num_feasible"] = {bound: int(text) for bound, text in found["num_feasible"].items()}
        ranking.attrs["certificate"] = {
            key: value for key, value in found.items() if key not in ("inputs", "num_feasible")
        }
        return ranking
    folder.certificate.unlink(missing_ok=True)
    ranking = rank_run(folder.path, config.budgets, config.ranking.top, config.ranking.time_limit_seconds)
    write_ranking(ranking, folder.ranking)
    write_json(folder.certificate, certificate(ranking, inputs))
    return ranking


def _result_metrics(result: SearchResult) -> dict[str, float]:
    """Figures of the search as a whole, to compare searches by."""
    assert result.ranking is not None
    best = result.ranking.iloc[0]
    costs = {f"best_{name}": float(best[name]) for name in ("num_params", "num_macs")}
    return {
        "best_score": float(best["score"]),
        **costs,
        "num_architectures": float(result.num_architectures),
        "num_feasible": float(result.ranking.attrs["num_feasible"]["lower"]),
        "seconds": result.seconds,
    }
