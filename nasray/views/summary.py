"""The summary of a search on the terminal, and its plan in a dry run."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nasray import analysis
from nasray.analysis.numerals import quantity
from nasray.comparison.arms import arm_runs
from nasray.evidence.found import sentence
from nasray.methods.method import methods_of
from nasray.pipeline.search_result import SearchResult
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.scheduling.placement import describe
from nasray.scheduling.unit import still_to_do
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config
from nasray.storage.mirror import Mirror
from nasray.storage.urls import join_url
from nasray.sweeps.unit import SweptUnit
from nasray.trainables.features.choice import feature_bytes
from nasray.trainables.inputs import SearchInputs
from nasray.trainables.settings.features import boundaries_of
from nasray.trainables.teacher.untrained import untrained_teacher
from nasray.views.comparison import describe_comparison, print_comparison
from nasray.views.evidence import print_evidence
from nasray.views.later_stages import later_stages
from nasray.views.ranking import print_ranking


def print_result(result: SearchResult, console: Console) -> None:
    """Print the ranking, what was found, what it took, and where it lies."""
    if result.ranking is not None:
        print_ranking(result.ranking, console)
    if result.found is not None:
        for _, found in result.found.iterrows():
            console.print(sentence(found, result.coverage), soft_wrap=True)
    if result.evidence is not None:
        print_evidence(result.evidence, console)
    folder = RunFolder(result.folder)
    if result.comparison is not None:  # whose own searches are only what arms change
        print_comparison(result.comparison, analysis.load_run(result.folder).comparison_networks, console)
    else:
        for search, method in methods_of(folder.read_config()):
            method.print_result(search, folder, console)
    console.print(
        f"{result.num_architectures:,} architectures; {result.num_units_run} units run in {result.seconds:.0f} s",
        soft_wrap=True,
    )
    mirror = Mirror.of(result.folder)
    if mirror is not None:
        console.print(f"Run: {join_url(mirror.url, mirror.name(result.folder))}", soft_wrap=True)
        return
    shown = Path(os.path.relpath(result.folder))
    console.print(f"Run folder: {shown if '..' not in shown.parts else result.folder}", soft_wrap=True)


def print_dry_run(config: str | Mapping[str, Any] | None, overrides: Sequence[str], console: Console) -> None:
    """Print what a search would run: units with their resources, numbers of architectures and candidates, bytes."""
    requested = load_config(config, overrides)
    comparison = requested.comparison
    if comparison is None:
        _print_search(requested, console)
        return
    shown = set()
    for run in arm_runs(requested):  # each arm in each space; with further seeds it is the same
        if (run.space, run.arm) not in shown:
            shown.add((run.space, run.arm))
            _print_search(run.config, console)
    console.print(describe_comparison(comparison), soft_wrap=True)


def _print_search(requested: ExperimentConfig, console: Console) -> None:
    """Print what one search would run."""
    next_ones = ""
    for search, method in methods_of(requested):
        if method.declaration.runs_searches:
            requested, next_ones = method.first_search(search, requested)
    folder = RunFolder.of(requested)
    folder.refresh()
    resolved, inputs = resolve(requested, folder, console, planned=True)
    folder.check(resolved)
    if resolved.sweep is not None:
        SweptUnit(resolved.sweep.unit, resolved, folder, inputs).planned(resolved.sweep)
    summary = inputs.summary
    units = [unit for stage in plan_search(resolved, folder, inputs).values() for unit in stage]
    to_run, _ = still_to_do(units, units)
    console.print(
        f"{resolved.name}: {inputs.space.num_architectures:,} architectures, {inputs.space.name} space"
    )
    source = "" if summary.found else " (files not found: published sizes)"
    console.print(
        f"data: {summary.num_train:,} training, {summary.num_held_out:,} held-out, {summary.num_test:,} test images"
        f"{source}",
        soft_wrap=True,
    )
    if isinstance(inputs, SearchInputs):
        _print_blocks(inputs, console)
    each = " or ".join(sorted({describe(unit.spec, resolved.resources) for unit in to_run}))
    console.print(f"{len(to_run)} of {len(units)} units to run" + (f", {each} each:" if to_run else ""))
    for unit in to_run:
        needs = f"  after {', '.join(unit.needs)}" if 0 < len(unit.needs) <= 3 else ""
        console.print(f"  {unit.name}{needs}", soft_wrap=True)
    if next_ones:
        console.print(next_ones, soft_wrap=True)
        return
    for line in later_stages(resolved, folder):
        console.print(line, soft_wrap=True)
    if resolved.sweep is not None:
        varied, number = ", ".join(resolved.sweep.domains), resolved.sweep.num_trials
        console.print(
            f"`nasray sweep` tries {number:,} settings of {resolved.sweep.unit}: {varied}", soft_wrap=True
        )


def _print_blocks(inputs: SearchInputs, console: Console) -> None:
    """Print the bytes of the teacher's features, and the blocks with their candidates."""
    space = inputs.space
    shapes = untrained_teacher(inputs).feature_shapes
    boundary_bytes = feature_bytes(shapes, inputs.features)
    total = sum(inputs.feature_rows.values()) * sum(
        boundary_bytes[boundary] for boundary in boundaries_of(inputs.features.modes)
    )
    console.print(f"features: {quantity(total)}B on disk ({inputs.features.dtype})")
    blocks = Table(box=None)
    for heading in ("block", "cells", "candidates", "teacher's features", "features"):
        blocks.add_column(heading)
    for block, choices in enumerate(space.blocks):
        num_rows = len(space.entry_widths(block)) * choices.num_candidates
        blocks.add_row(
            str(block),
            " ".join(cell.name for cell in choices.cells),
            f"{choices.num_candidates:,} ({num_rows:,} rows)",
            " -> ".join("x".join(map(str, shape)) for shape in shapes[block : block + 2]),
            inputs.features.modes[block],
        )
    console.print(blocks)
