"""The family study: every member searches with every seed, then networks are trained for real that judge them all."""

import time
from collections.abc import Sequence
from itertools import islice

import pandas as pd
from rich.console import Console

from nasray.analysis.exact.ranking import ARCHITECTURE
from nasray.analysis.studies.family import family_summary
from nasray.cluster.cluster import ray_cluster
from nasray.errors import UserError
from nasray.evidence.networks import FOUND, GROUP, SAMPLE
from nasray.evidence.plan import retrain_specs, retrain_units
from nasray.evidence.table import evidence_table
from nasray.execution.execution import Execution
from nasray.family.member import Rater, member_config, member_rater, trivial_raters
from nasray.family.table import find_all, finds_table, with_scores
from nasray.generations.search import search_generations
from nasray.pipeline.search_result import SearchResult
from nasray.pipeline.stages import search_in_stages
from nasray.planning.plan import unit_inputs
from nasray.planning.resolve import check_budgets
from nasray.run.folder import RunFolder
from nasray.run.report_page import leave_report
from nasray.run.several_searches import FAMILY, FAMILY_NETWORKS
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.costs.uncounted import check_counted
from nasray.search_spaces.files.atomic_file import write_parquet
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config
from nasray.strategies.problem import Problem
from nasray.tracking.tracker import Tracker
from nasray.trainables.inputs import UnitInputs


def search_family(config: ExperimentConfig, stages: Sequence[str] | None, console: Console) -> SearchResult:
    """Have every member search with every seed, and judge them all by one set of trained networks.

    What an earlier launch left is kept, search by search and unit by unit, as `search` keeps it.

    Args:
        config: With a section `family`.
        stages: None; the study runs as a whole.
        console: Where to show what runs.

    Returns:
        The table of what each found in the study's folder, with no ranking of its own.

    Raises:
        UserError: A mistake in the config, the data, or one of the folders; or there are `stages`.
        SearchFailedError: Units failed.
    """
    if stages is not None:
        raise UserError(
            f"stages must be left out for a family study, which runs as a whole, got {', '.join(stages)}: each "
            "search's folder has a config of its own, which may be searched in stages"
        )
    start = time.monotonic()
    folder = RunFolder.of(config)
    folder.refresh()
    folder.check(config)
    inputs = unit_inputs(config, folder)
    space = _space(config, inputs)
    with folder.locked(), ray_cluster(config.resources, console):
        folder.claim(config, inputs, {})
        raters, results = _search_all(config, space, console)
        tracker = Tracker(config, folder)
        with Execution(config, folder, tracker, console) as execution:
            finds, networks = _judge(config, folder, inputs, space, raters, execution)
        write_parquet(folder.path / FAMILY_NETWORKS, networks)
        write_parquet(folder.path / FAMILY, finds)
        folder.record_environment(config.seed)
        leave_report(folder)
        outcomes = [folder.path / FAMILY, folder.path / FAMILY_NETWORKS]
        tracker.log_result(_metrics(finds, networks), outcomes)
    return SearchResult(
        folder=folder.path,
        ranking=None,
        found=None,
        study=None,
        evidence=None,
        num_architectures=space.num_architectures,
        num_units_run=sum(result.num_units_run for result in results) + execution.num_units_run,
        seconds=time.monotonic() - start,
        family=finds,
        leaves_out=any(result.leaves_out for result in results),
    )


def _space(config: ExperimentConfig, inputs: UnitInputs) -> SearchSpace:
    """The space, held to what all members search.

    Raises:
        UserError: It is one of cells, or the budgets exclude all of it.
    """
    if not isinstance(inputs.space, SearchSpace):
        raise UserError(
            f"search_space of a family study must be one of blocks in a row, got {inputs.space.name}, one of cells: "
            "compare settings of sd_darts there by a study"
        )
    check_budgets(config.budgets, inputs.space)
    check_counted(inputs.space.candidate_tables(), "a family study, which ranks by MACs as well,")
    return inputs.space


def _search_all(
    config: ExperimentConfig, space: SearchSpace, console: Console
) -> tuple[list[Rater], list[SearchResult]]:
    """What all members say after their searches, in the order of the config, and the searches' results."""
    family = config.family
    assert family is not None
    raters: dict[tuple[str, int], Rater] = {}
    results: list[SearchResult] = []
    for seed in family.seeds:  # before the next seed all members have this one
        for name in family.members:
            console.print(f"{name} with seed {seed}", soft_wrap=True)
            own = load_config(member_config(config, name, seed).model_dump(mode="json"))
            run = search_in_stages if own.dna_plus is None else search_generations
            result = run(own, None, console)
            raters[name, seed] = member_rater(name, seed, result.folder, space)
            results.append(result)
    return [raters[name, seed] for name in family.members for seed in family.seeds], results


def _judge(
    config: ExperimentConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    space: SearchSpace,
    raters: Sequence[Rater],
    execution: Execution,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each found and what it is worth, and the networks that tell how far scores agree with accuracies."""
    settings, family = config.retrain, config.family
    assert settings is not None
    assert family is not None
    problem = Problem(space, config.budgets, space.candidate_tables())
    sample = list(islice(problem.draws(config.seed), settings.sample))
    trivial = trivial_raters(space)
    finds = find_all([*raters, *trivial], config.budgets)
    drawn = {seed: next(problem.draws(seed)) for seed in family.seeds}
    rows = [(name, SAMPLE) for name in sample]
    rows += [(name, FOUND) for name in (*finds[ARCHITECTURE], *drawn.values())]
    networks = pd.DataFrame(rows, columns=[ARCHITECTURE, GROUP], dtype=str)
    networks = networks.drop_duplicates(ARCHITECTURE, ignore_index=True)
    trainings = {
        name: retrain_specs(settings, config, folder, inputs, name) for name in networks[ARCHITECTURE]
    }
    units = list(retrain_units([spec for specs in trainings.values() for spec in specs], inputs))
    execution.run_missing(units, units)
    table = evidence_table(networks, trainings, [], None, inputs)
    table = with_scores(table, [*raters, *trivial], family.seeds)
    return finds_table(finds, drawn, table), table


def _metrics(finds: pd.DataFrame, networks: pd.DataFrame) -> dict[str, float]:
    """Figures of each method, to compare studies by."""
    summary = family_summary(finds, networks).set_index("method")
    names = ("kendall_tau", "accuracy", "cpu_seconds")
    return {
        f"{method}_{name}": float(row[name])
        for method, row in summary.iterrows()
        for name in names
        if pd.notna(row[name])
    }
