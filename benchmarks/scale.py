"""Does the schedule keep 64 GPUs busy, and what does the driver take for each unit and each report?

Two graphs of real units: the ImageNet DNA search with the training of 200 networks (`imagenet_work.py`), and a study of
1,000 trainings. nasray's own schedule runs them in a local Ray whose GPUs are only declared. Instead of computing, each
unit sleeps as long as `imagenet_cost.py` says it would take, time compressed, and reports after each of its epochs.

The first processes are started before time is taken: this machine has two cores, and a cluster's nodes start theirs at
once. So the search is run in three schedules, cut where all that follows waits for all that comes before: after the
teacher, and where the ranking is made.

Printed for each graph and number of GPUs: what a second stands for; the lower bound of the graph (all work spread
evenly, or its longest chain) and the time of the same order at no cost, as shares of the time that it took; the GPUs'
share of time at work; the seconds that a unit's GPU loses; how many processes were started; the driver's processor time
and how much its memory grew. The live view and MLflow are not told there, since compressed time brings reports faster
than they are logged. What a unit and a report cost the driver with them and without is printed last, from units that do
not sleep.

    python benchmarks/scale.py [--gpus 1 8 64] [--graphs search study] [--seconds 120] [--root runs/scale]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from imagenet_cost import ASSUMED_TEACHER, ONE_CORE
from imagenet_work import ImageNetSearch
from list_schedule import bound_seconds, ideal_seconds
from sleeping_schedule import Clock, run_sleeping

from nasray.scheduling.unit import Unit
from nasray.trainables.block_wise.units.cell import BlockSpec
from nasray.trainables.retrain.trainable import RetrainSpec
from nasray.trainables.teacher.unit import TeacherSpec

NUM_NETWORKS, NUM_STUDIED, NUM_REPORTS = 200, 1000, 21
_COLUMNS = (
    "GPUs",
    "units",
    "reports",
    "h a second",
    "bound",
    "order",
    "busy",
    "lost s",
    "started",
    "driver s",
    "MB",
)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gpus", type=int, nargs="*", default=[1, 8, 64])
    parser.add_argument("--graphs", nargs="*", default=["search", "study"])
    parser.add_argument("--seconds", type=float, default=120.0, help="what each schedule would take at best")
    parser.add_argument("--root", type=Path, default=Path("runs/scale"))
    parser.add_argument("--units", type=int, nargs="*", default=[100, NUM_STUDIED], help="of the last table")
    arguments = parser.parse_args()
    search = ImageNetSearch(arguments.root.absolute())
    print(f"{'graph':<8}" + "".join(f"{name:>12}" for name in _COLUMNS))
    for graph in arguments.graphs:
        for num_gpus in arguments.gpus:
            _print_row(search, graph, num_gpus, arguments.seconds)
    _print_overhead(search, arguments.units)


def _print_row(search: ImageNetSearch, graph: str, num_gpus: int, best_seconds: float) -> None:
    """Run a graph on a number of GPUs and print how it went."""
    parts = _parts(search, graph)
    units = [unit for part in parts for unit in part]
    speeds, num_workers = ONE_CORE.on_gpu(ASSUMED_TEACHER), search.config.compute.num_workers
    hours = {unit.name: speeds.seconds(search.work(unit), num_workers) / 3600 for unit in units}
    compression = sum(ideal_seconds(part, hours, num_gpus) for part in parts) / best_seconds
    seconds = {name: value / compression for name, value in hours.items()}
    reports = {unit.name: _num_reports(unit) for unit in units}
    clocks = [run_sleeping(part, seconds, reports, search, num_gpus, told=False) for part in parts]
    taken = sum(clock.seconds for clock in clocks)
    figures = (
        compression,
        sum(bound_seconds(part, seconds, num_gpus) for part in parts) / taken,
        best_seconds / taken,
        sum(seconds.values()) / num_gpus / taken,
        (taken - best_seconds) * num_gpus / len(units),
        sum(clock.num_processes for clock in clocks),
        sum(clock.cpu_seconds for clock in clocks),
        max(clock.memory_bytes for clock in clocks) / 1e6,
    )
    counts = (num_gpus, len(units), sum(clock.num_reports for clock in clocks))
    print(
        f"{graph:<8}"
        + "".join(f"{count:>12,}" for count in counts)
        + "".join(f"{figure:>12.3g}" for figure in figures),
        flush=True,
    )


def _parts(search: ImageNetSearch, graph: str) -> list[list[Unit]]:
    """The graph's schedules, one after the other: cells need the teacher, networks are trained when all is ranked."""
    if graph == "study":
        return [search.retraining_units(NUM_STUDIED)]
    teacher, others = (
        [unit for unit in search.search_units if isinstance(unit.spec, TeacherSpec) is wanted]
        for wanted in (True, False)
    )
    return [teacher, others, search.retraining_units(NUM_NETWORKS)]


def _num_reports(unit: Unit) -> int:
    match unit.spec:
        case BlockSpec() as spec:
            return spec.target.config.epochs
        case RetrainSpec() as spec:
            return spec.config.train.epochs
        case _:
            return 1


def _print_overhead(search: ImageNetSearch, numbers: Sequence[int]) -> None:
    """Print what a unit and a report cost the driver, of few units and of many, with and without those who are told."""
    print(f"\n{'units':>8}{'told':>8}{'ms a unit':>14}{'ms a report':>14}{'MB':>8}")
    _overhead(search, search.retraining_units(8), 1, told=True)  # what MLflow takes at its first use alone
    for number in numbers:
        units = search.retraining_units(number)
        for told in (False, True):
            few, many = (_overhead(search, units, reports, told=told) for reports in (1, NUM_REPORTS))
            report = (many.cpu_seconds - few.cpu_seconds) / (many.num_reports - few.num_reports)
            unit = few.cpu_seconds / number - report
            memory = many.memory_bytes / 1e6
            print(f"{number:>8}{told!s:>8}{1e3 * unit:>14.1f}{1e3 * report:>14.1f}{memory:>8.0f}", flush=True)


def _overhead(search: ImageNetSearch, units: Sequence[Unit], num_reports: int, *, told: bool) -> Clock:
    """What units took that do not sleep."""
    names = [unit.name for unit in units]
    return run_sleeping(
        units, dict.fromkeys(names, 0.0), dict.fromkeys(names, num_reports), search, 8, told=told
    )


if __name__ == "__main__":
    main()
