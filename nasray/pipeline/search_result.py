"""The result of a search, and its figures for MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.counting.statement import left_out_since
from nasray.evidence.evidence import Evidence, evidence_metrics
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.costs import counted_costs

LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search gives.

    Attributes:
        folder: The run's folder.
        ranking: The best architectures, best first; None if there was nothing to rank, or its stage was not asked for.
        found: What searches found that name one architecture, a row each; None if there were none.
        evidence: How far the ranking agrees with networks trained for real; None if its stage was not asked for.
        num_architectures: Size of the search space.
        num_units_run: Units that ran in this launch; the others' results were there already.
        seconds: Time of this launch.
        comparison: Of a comparison what each arm found in each space with each seed; None elsewhere.
        tables: What a method leaves beside, by name: `generations` of DNA+, all else then being of the best one.
        leaves_out: Whether a ranking, of several searches any, leaves out architectures within the budgets, since
            candidates of theirs have no rating.
    """

    folder: Path
    ranking: pd.DataFrame | None
    found: pd.DataFrame | None
    evidence: Evidence | None
    num_architectures: int
    num_units_run: int
    seconds: float
    comparison: pd.DataFrame | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    leaves_out: bool = False

    @property
    def coverage(self) -> Coverage | None:
        """Of which architectures the ranking speaks; None without one."""
        return None if self.ranking is None else Coverage.read(self.ranking.attrs)


def outcomes(result: SearchResult, folder: RunFolder) -> list[Path]:
    """The files of what this launch gave."""
    parts = ((result.ranking, folder.ranking), (result.found, folder.found))
    paths = [path for part, path in parts if part is not None]
    if result.evidence is None:
        return paths
    paths += [folder.agreement, folder.agreement_figures]
    return paths if result.evidence.calibration is None else [*paths, folder.calibration]


def result_metrics(result: SearchResult) -> dict[str, float]:
    """Figures of the search as a whole, to compare searches by."""
    metrics = {"num_architectures": float(result.num_architectures), "seconds": result.seconds}
    costs = [cost.name for cost in counted_costs()]
    if result.ranking is not None:
        best = result.ranking.iloc[0]
        metrics |= {f"best_{name}": float(best[name]) for name in ("score", *costs) if name in best}
    if result.coverage is not None:
        metrics |= coverage_metrics(result.coverage)
    if result.found is not None:
        found = result.found.iloc[0]
        metrics |= {
            f"found_{name}": float(found[name])
            for name in ("score", *costs, "num_better")
            if name in found and pd.notna(found[name])
        }
    if result.evidence is not None:
        metrics |= evidence_metrics(result.evidence)
    return metrics


def coverage_metrics(coverage: Coverage) -> dict[str, float]:
    """How many architectures within the budgets are ranked, at least, and how many are not, at most, and why."""
    return {
        "num_feasible": float(coverage.ranked.lower),
        "num_left_out": float(coverage.left_out.upper),
        "num_unrated_candidates": float(sum(one.num_candidates for one in coverage.unrated)),
    }


def result_tags(result: SearchResult) -> dict[str, str]:
    """What must be known of a search beside its figures: what the ranking leaves out, if anything."""
    if result.coverage is None or result.coverage.is_whole:
        return {}
    return {LEFT_OUT: left_out_since(result.coverage).removeprefix("; ")}
