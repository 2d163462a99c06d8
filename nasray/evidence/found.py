"""The architecture that a search found, and its place among all."""

from collections.abc import Sequence
from contextlib import suppress

import pandas as pd

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.counting.place import place_of
from nasray.analysis.counting.statement import bounds, left_out, ranked
from nasray.analysis.runs.rank import ranked_tables
from nasray.methods.method import Find, methods_of
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS
from nasray.settings.experiment import ExperimentConfig


def found_architectures(config: ExperimentConfig, folder: RunFolder, *, ranked: bool) -> pd.DataFrame:
    """A row per search that finds one architecture: what that is and costs; where all are ranked, its score and place.

    `num_better` is the number of architectures within the budgets with a better score, `num_better_at_most` its certain
    upper bound where it is not exact; `within_budgets` says whether what was found keeps them itself. Without a rating
    of one of its candidates, score and place are missing.

    Args:
        config: The experiment's config.
        folder: The run's folder, in which these searches are finished.
        ranked: Whether all candidates are rated, too.
    """
    finding = [pair for pair in methods_of(config) if pair[1].declaration.finds]
    tables = ranked_tables(folder.path, config.ranking.by) if ranked else None
    return pd.DataFrame(
        [_row(search.method, method.found(folder), tables, config) for search, method in finding]
    )


def _row(
    name: str, found: Find, tables: Sequence[pd.DataFrame] | None, config: ExperimentConfig
) -> dict[str, object]:
    """What a search found, and its place in the ranking of all, if there is one."""
    row: dict[str, object] = {
        "search": name,
        "architecture": found.architecture,
        "epoch": found.epoch,
        NUM_PARAMS: found.num_params,
        NUM_MACS: found.num_macs,
    }
    if tables is not None:
        place = place_of(found.architecture, tables, (), config.budgets)
        row |= {"score": None, "num_better": None, "num_better_at_most": None, "within_budgets": None}
        if place is not None:
            row |= {
                "score": place.score,
                # As text, since tables hold no integers of any size.
                "num_better": str(place.num_better.lower),
                "num_better_at_most": str(place.num_better.upper),
                "within_budgets": place.keeps(config.budgets),
            }
    return row


def read_found(config: ExperimentConfig, folder: RunFolder) -> list[str]:
    """The architectures that searches found which are finished."""
    found = []
    for _, method in methods_of(config):
        if method.declaration.finds:
            with suppress(FileNotFoundError):
                found.append(method.found(folder).architecture)
    return found


def sentence(found: pd.Series, coverage: Coverage | None) -> str:
    """What was found, in a sentence or two.

    Args:
        found: A row of `found_architecture`.
        coverage: Of which architectures the ranking speaks, if there is one.
    """
    text = f"{found['search']} found {found['architecture']} ({found[NUM_PARAMS]:,} params, {found[NUM_MACS]:,} MACs)."
    if coverage is None:
        return text
    if pd.isna(found["score"]):
        return f"{text} One of its candidates has no rating."
    better = bounds(Count(int(found["num_better"]), int(found["num_better_at_most"])))
    text = f"{text} Its score is {found['score']:.4f}: {better} of the {ranked(coverage)} are better"
    if not found["within_budgets"]:
        text += ", among which it does not count, since it exceeds them"
    return f"{text}{left_out(coverage)}."
