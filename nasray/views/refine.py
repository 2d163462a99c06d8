"""The changes by a refinement on the terminal."""

import pandas as pd
from rich.console import Console

from nasray.analysis.runs.rank import SCORE_SE
from nasray.commands.refine import Refinement
from nasray.search_spaces.artefacts.columns import ARCHITECTURE
from nasray.views.ranking import print_ranking


def print_refinement(refinement: Refinement, console: Console) -> None:
    """Print what was rated, what that changed of the best, and the ranking."""
    console.print(_work(refinement), soft_wrap=True)
    if refinement.num_rounds:
        console.print(_change(refinement), soft_wrap=True)
    if refinement.lost_evidence:
        console.print(
            "The evidence was for the ranking before: the search's own command gathers it for this one, and trains "
            "only what is new.",
            soft_wrap=True,
        )
    print_ranking(refinement.after, console)


def _work(refinement: Refinement) -> str:
    if not refinement.num_rounds:
        return (
            f"Nothing is left to rate: all candidates that decide the best {refinement.top} are rated on "
            f"{refinement.end_batch} held-out batches."
        )
    times = "once" if refinement.num_rounds == 1 else f"in {refinement.num_rounds} rounds"
    return (
        f"Rated {refinement.num_refined:,} of {refinement.num_candidates:,} rated candidates further, up to "
        f"{refinement.end_batch} held-out batches, {times}: {refinement.num_ratings:,} ratings of a batch, where all "
        f"of them would have taken {refinement.num_open:,}."
    )


def _change(refinement: Refinement) -> str:
    before, after = (ranking.head(refinement.top) for ranking in (refinement.before, refinement.after))
    first = "stays" if before[ARCHITECTURE].iloc[0] == after[ARCHITECTURE].iloc[0] else "is another"
    kept = int(after[ARCHITECTURE].isin(before[ARCHITECTURE]).sum())
    return (
        f"The first place {first}; {kept} of the best {len(after)} were among them before. Standard error of their "
        f"scores (median): {_error(before)} before, {_error(after)} now."
    )


def _error(best: pd.DataFrame) -> str:
    return f"{best[SCORE_SE].median():.4f}"
