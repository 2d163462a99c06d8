"""Which architectures are trained for real: the best, what other searches found, and some over the whole range."""

from collections.abc import Mapping, Sequence

import pandas as pd

from nasray.analysis.counting.stratified_sample import sample_by_score
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.settings.evidence import EvidenceConfig

GROUP = "group"
TOP, SAMPLE, FOUND, CHOSEN = "top", "sample", "found", "chosen"


def choose_networks(
    config: EvidenceConfig,
    ranking: pd.DataFrame | None,
    tables: Sequence[pd.DataFrame],
    found: Sequence[str],
    *,
    budgets: Mapping[str, float],
    seed: int,
) -> pd.DataFrame:
    """The architectures to train, each once, with the `group` for which it was chosen first.

    Args:
        config: How many of each group.
        ranking: The ranking, best first; None: nothing is ranked, and only what was found is trained.
        tables: The ratings of each block; the sample is drawn from all architectures that they make.
        found: What searches found that name one architecture.
        budgets: Those of the ranking; the sample keeps them, too.
        seed: Decides the sample.
    """
    groups: dict[str, Sequence[str]] = {}
    if ranking is not None:
        groups[TOP] = list(ranking[ARCHITECTURE][: config.top])
    if ranking is not None and config.sample:
        groups[SAMPLE] = list(
            sample_by_score(tables, config.sample, budgets=budgets, seed=seed)[ARCHITECTURE]
        )
    # Last: what another search finds must not change of which networks the agreement is told.
    groups[FOUND] = found
    rows = [(name, group) for group, names in groups.items() for name in names]
    frame = pd.DataFrame(rows, columns=[ARCHITECTURE, GROUP], dtype=str)
    return frame.drop_duplicates(ARCHITECTURE, ignore_index=True)
