"""The architecture that an SD-DARTS search found, and its place among all."""

import pandas as pd

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.counting.place import place_of
from nasray.analysis.counting.statement import bounds, left_out, ranked
from nasray.analysis.runs.rank import ranked_tables
from nasray.planning.sd_darts_plan import SD_DARTS
from nasray.run.folder import RunFolder
from nasray.search_spaces.artefacts.columns import NUM_MACS, NUM_PARAMS
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.sd_darts.trainable import Found


def found_architecture(config: ExperimentConfig, folder: RunFolder, *, ranked: bool) -> pd.DataFrame:
    """One row: what was found and what it costs; where all are ranked, with its DNA score and place among these.

    `num_better` is the number of architectures within the budgets with a better score, `num_better_at_most` its certain
    upper bound where it is not exact; `within_budgets` says whether what was found keeps them itself. Without a rating
    of one of its candidates, score and place are missing.

    Args:
        config: The experiment's config.
        folder: The run's folder, in which the search is finished.
        ranked: Whether the DNA search is finished, too.
    """
    found = Found.read(folder.unit(SD_DARTS))
    row: dict[str, object] = {
        "search": SD_DARTS,
        "architecture": found.architecture,
        "epoch": found.epoch,
        NUM_PARAMS: found.num_params,
        NUM_MACS: found.num_macs,
    }
    if ranked:
        tables = ranked_tables(folder.path, config.ranking.by)
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
    return pd.DataFrame([row])


def read_found(folder: RunFolder) -> str | None:
    """The architecture that the SD-DARTS search found, if there was one and it is finished."""
    try:
        return Found.read(folder.unit(SD_DARTS)).architecture
    except FileNotFoundError:
        return None


def sentence(found: pd.Series, coverage: Coverage | None) -> str:
    """What was found, in a sentence or two.

    Args:
        found: A row of `found_architecture`.
        coverage: Of which architectures the ranking speaks, if there is one.
    """
    text = f"sd_darts found {found['architecture']} ({found[NUM_PARAMS]:,} params, {found[NUM_MACS]:,} MACs)."
    if coverage is None:
        return text
    if pd.isna(found["score"]):
        return f"{text} One of its candidates has no rating."
    better = bounds(Count(int(found["num_better"]), int(found["num_better_at_most"])))
    text = f"{text} Its DNA score is {found['score']:.4f}: {better} of the {ranked(coverage)} are better"
    if not found["within_budgets"]:
        text += ", among which it does not count, since it exceeds them"
    return f"{text}{left_out(coverage)}."
