"""The console command `nasray`: its arguments, and what it says of mistakes."""

import argparse
import ipaddress
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

USAGE_ERROR, FAILURE = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 2 for a mistake of the user's, or 1 for a search whose units failed."""
    parsed = _parse(arguments)
    error_console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        with _ended_by_sigterm() as received:
            return parsed.run(parsed)
    except (ValueError, OSError) as error:
        error_console.print(f"nasray: {error}", style="red")
        return USAGE_ERROR
    except RuntimeError as error:
        if type(error).__name__ != "SearchFailedError":
            raise
        error_console.print(f"nasray: {error}", style="red")
        return FAILURE
    except KeyboardInterrupt:
        error_console.print("nasray: interrupted; the same command goes on from here")
        return 128 + (received[0] if received else signal.SIGINT)


@contextmanager
def _ended_by_sigterm() -> Iterator[list[int]]:
    """Within, SIGTERM ends a command as Ctrl-C does; yields a list that holds its number once it came.

    What waits in Ray's C++ may turn any exception of a handler into KeyboardInterrupt, so it is one from the start.
    """
    received: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, previous)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; overrides may follow options, which argparse by itself would not take."""
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if any(text.startswith("-") for text in rest) or (rest and not hasattr(parsed, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides = [*parsed.overrides, *rest]
    return parsed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nasray", description="Neural architecture search that ranks all architectures."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    search = commands.add_parser(
        "search", help="search, from the teacher to the ranking of all architectures"
    )
    search.add_argument(
        "config", nargs="?", metavar="CONFIG", help="a file, or a shipped config's name (default: digits)"
    )
    search.add_argument("overrides", nargs="*", metavar="a.b=value", help="changes to the config")
    search.add_argument("--dry-run", action="store_true", help="say what would run, and run nothing")
    search.add_argument(
        "--stages",
        metavar="S,S",
        help="of teacher, features, ratings, sd_darts, ranking, evidence (default: all)",
    )
    search.set_defaults(run=_search)

    _add_rank(commands)
    _add_latency(commands)

    retrain = commands.add_parser("retrain", help="train architectures of a finished run for real")
    retrain.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    retrain.add_argument(
        "--architecture",
        action="append",
        required=True,
        metavar="ID",
        help="which, more than once for several",
    )
    retrain.add_argument(
        "overrides", nargs="*", metavar="a.b=value", help="changes to the config's section retrain"
    )
    retrain.set_defaults(run=_retrain)

    additivity = commands.add_parser(
        "additivity", help="measure whether blocks act one by one, as a sum of ratings supposes"
    )
    additivity.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    additivity.add_argument(
        "--pairs", type=int, default=30, metavar="N", help="candidates drawn per pair of blocks (default: 30)"
    )
    additivity.set_defaults(run=_additivity)

    _add_refine(commands)

    report = commands.add_parser("report", help="write a run's report page")
    report.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    report.add_argument(
        "--output", type=Path, metavar="FILE", help="(default: report.html in the run's folder)"
    )
    report.set_defaults(run=_report)

    export = commands.add_parser("export", help="write a trained network as a folder that needs no nasray")
    export.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    export.add_argument("--architecture", metavar="ID", help="(default: the best on the held-out images)")
    export.add_argument(
        "--seed", type=int, help="which of its trainings (default: the best on the held-out images)"
    )
    export.add_argument("--format", choices=("torch", "torch.export", "onnx"), default="torch")
    export.add_argument(
        "--output", type=Path, metavar="FOLDER", help="(default: exports/... in the run's folder)"
    )
    export.set_defaults(run=_export)

    _add_sweep_and_baselines(commands)

    inspect = commands.add_parser("inspect", help="look at a teacher or a search space")
    things = inspect.add_subparsers(required=True, metavar="THING")
    for thing, text in (
        ("teacher", "its possible cut points"),
        ("space", "its blocks, cells, counts and costs"),
    ):
        command = things.add_parser(thing, help=text)
        command.add_argument("config", nargs="?", metavar="CONFIG", help="as for search")
        command.add_argument("overrides", nargs="*", metavar="a.b=value", help="changes to the config")
        command.set_defaults(run=_inspect, thing=thing)

    ui = commands.add_parser("ui", help="start MLflow's UI on the runs")
    ui.add_argument("config", nargs="?", metavar="CONFIG", help="as for search")
    ui.add_argument("overrides", nargs="*", metavar="a.b=value", help="changes to the config")
    ui.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(run=_ui)
    return parser


def _add_rank(commands: Any) -> None:
    rank = commands.add_parser("rank", help="rank the architectures of a finished run again, in seconds")
    rank.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    rank.add_argument("--max-params", type=float, help="at most so many parameters, such as 5e6")
    rank.add_argument("--max-macs", type=float, help="at most so many multiply-accumulates, such as 400e6")
    rank.add_argument(
        "--max-latency-ms", type=float, help="at most so many milliseconds, as `nasray latency` measured"
    )
    rank.add_argument(
        "--by",
        choices=("score", "swap_in", "calibrated"),
        help="sum of the ratings, of those inside the teacher, or weighted by block as trained networks say"
        " (default: the config's ranking.by)",
    )
    rank.add_argument("--top", type=int, default=1000, help="how many architectures (default: 1000)")
    rank.add_argument(
        "--time-limit", type=float, metavar="S", help="stop after so many seconds, proved or not"
    )
    rank.add_argument(
        "--resamples",
        type=int,
        default=100,
        help="rankings that tell how sure this one is; 0 for none (default: 100)",
    )
    rank.add_argument("--output", type=Path, metavar="FILE", help="a .parquet or .csv file to write")
    rank.set_defaults(run=_rank)


def _add_refine(commands: Any) -> None:
    refine = commands.add_parser(
        "refine", help="rate on further held-out batches what decides a run's best architectures"
    )
    refine.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    refine.add_argument(
        "--top", type=int, default=10, metavar="K", help="how many architectures are the best (default: 10)"
    )
    refine.add_argument(
        "--batches",
        type=int,
        metavar="N",
        help="rate them on N held-out batches in all (default: all there are)",
    )
    refine.set_defaults(run=_refine)


def _add_latency(commands: Any) -> None:
    latency = commands.add_parser(
        "latency", help="measure the candidates' latency on this machine, to rank under a budget of it"
    )
    latency.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    latency.add_argument("--device", choices=("cpu", "cuda"), help="(default: the config's compute.device)")
    latency.add_argument("--batch", type=int, default=1, help="images at once (default: 1)")
    latency.add_argument(
        "--repeats", type=int, default=30, help="how often each thing is timed, at least (default: 30)"
    )
    latency.set_defaults(run=_latency)


def _add_sweep_and_baselines(commands: Any) -> None:
    """The commands that search by other means than the search itself."""
    sweep = commands.add_parser("sweep", help="search for the settings of one unit, such as a block's cell")
    sweep.add_argument("config", nargs="?", metavar="CONFIG", help="as for search, with a section `sweep`")
    sweep.add_argument("overrides", nargs="*", metavar="a.b=value", help="changes to the config")
    sweep.set_defaults(run=_sweep)

    baselines = commands.add_parser(
        "baselines", help="search a finished run's space by other strategies, which train networks for real"
    )
    baselines.add_argument("run_folder", type=Path, metavar="RUN", help="the run's folder")
    baselines.add_argument(
        "--strategies",
        metavar="S,S",
        help="of random, evolution, tpe, nsga2, halving, ranking (default: all)",
    )
    baselines.add_argument(
        "--trainings", type=int, default=20, help="what each may spend, in whole trainings (default: 20)"
    )
    baselines.add_argument(
        "--batch", type=int, default=4, help="trainings that are asked for at once (default: 4)"
    )
    baselines.add_argument(
        "overrides", nargs="*", metavar="a.b=value", help="changes to the config's section retrain.train"
    )
    baselines.set_defaults(run=_baselines)


def _config_arguments(parsed: argparse.Namespace) -> tuple[str | None, list[str]]:
    """CONFIG and the overrides; CONFIG may be left out before overrides."""
    if parsed.config is not None and "=" in parsed.config:
        return None, [parsed.config, *parsed.overrides]
    return parsed.config, parsed.overrides


# The commands import what they need when they run, so that `nasray rank` starts without Ray and torch.


def _search(parsed: argparse.Namespace) -> int:
    from nasray.experiment import search  # noqa: PLC0415
    from nasray.summary import print_dry_run, print_result  # noqa: PLC0415

    config, overrides = _config_arguments(parsed)
    console = Console(highlight=False, markup=False)
    if parsed.dry_run:
        print_dry_run(config, overrides, console)
        return 0
    stages = parsed.stages.split(",") if parsed.stages else None
    print_result(search(config, overrides, stages=stages, console=console), console)
    return 0


def _sweep(parsed: argparse.Namespace) -> int:
    from nasray.sweeps.sweep import sweep  # noqa: PLC0415
    from nasray.sweeps.view import print_sweep  # noqa: PLC0415

    config, overrides = _config_arguments(parsed)
    console = Console(highlight=False, markup=False)
    print_sweep(sweep(config, overrides, console=console), console)
    return 0


def _retrain(parsed: argparse.Namespace) -> int:
    from nasray.evidence.retrain import retrain  # noqa: PLC0415
    from nasray.evidence.view import print_evidence  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    print_evidence(
        retrain(parsed.run_folder, parsed.architecture, parsed.overrides, console=console), console
    )
    return 0


def _baselines(parsed: argparse.Namespace) -> int:
    from nasray.baselines import baselines  # noqa: PLC0415
    from nasray.baselines_view import print_baselines  # noqa: PLC0415
    from nasray.strategies.strategy import strategy_settings  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    strategies = parsed.strategies.split(",") if parsed.strategies else None
    settings = strategy_settings(trainings=parsed.trainings, batch=parsed.batch)
    found = baselines(
        parsed.run_folder, parsed.overrides, strategies=strategies, settings=settings, console=console
    )
    print_baselines(found, console)
    return 0


def _additivity(parsed: argparse.Namespace) -> int:
    from nasray.additivity import measure_additivity  # noqa: PLC0415
    from nasray.additivity_view import print_additivity  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    print_additivity(measure_additivity(parsed.run_folder, parsed.pairs, console=console), console)
    return 0


def _refine(parsed: argparse.Namespace) -> int:
    from nasray.refine import refine  # noqa: PLC0415
    from nasray.refine_view import print_refinement  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    print_refinement(refine(parsed.run_folder, parsed.top, parsed.batches, console=console), console)
    return 0


def _export(parsed: argparse.Namespace) -> int:
    from nasray.export.export import export_network  # noqa: PLC0415

    path = export_network(parsed.run_folder, parsed.architecture, parsed.output, parsed.format, parsed.seed)
    Console(highlight=False, markup=False, soft_wrap=True).print(path)
    return 0


def _report(parsed: argparse.Namespace) -> int:
    from analysis.report import write_report  # noqa: PLC0415

    path = write_report(parsed.run_folder, parsed.output)
    Console(highlight=False, markup=False, soft_wrap=True).print(path)
    return 0


def _rank(parsed: argparse.Namespace) -> int:
    from nasray.rank import rank_run, read_budgets, read_criterion, write_ranking  # noqa: PLC0415
    from nasray.ranking_view import print_ranking  # noqa: PLC0415

    given = {
        "num_params": parsed.max_params,
        "num_macs": parsed.max_macs,
        "latency_ms": parsed.max_latency_ms,
    }
    budgets = read_budgets(parsed.run_folder) | {
        name: limit for name, limit in given.items() if limit is not None
    }
    by = parsed.by or read_criterion(parsed.run_folder)
    ranking = rank_run(parsed.run_folder, budgets, parsed.top, parsed.time_limit, parsed.resamples, by)
    if parsed.output is not None:
        write_ranking(ranking, parsed.output)
    print_ranking(ranking, Console(highlight=False, markup=False))
    return 0


def _latency(parsed: argparse.Namespace) -> int:
    from nasray.latency import measure_latency  # noqa: PLC0415
    from nasray.latency_view import print_latency  # noqa: PLC0415
    from trainables.latency.meter import LatencySettings  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    settings = LatencySettings(batch_size=parsed.batch, num_repeats=parsed.repeats)
    figures = measure_latency(parsed.run_folder, settings, parsed.device, console=console)
    print_latency(figures, parsed.run_folder, console)
    return 0


def _inspect(parsed: argparse.Namespace) -> int:
    from nasray.describe import print_space, print_teacher  # noqa: PLC0415

    show = print_teacher if parsed.thing == "teacher" else print_space
    show(*_config_arguments(parsed), Console(highlight=False, markup=False))
    return 0


def _ui(parsed: argparse.Namespace) -> int:
    from nasray.config_file import load_config  # noqa: PLC0415
    from nasray.tracking import start_ui  # noqa: PLC0415

    if not _is_loopback(parsed.host):
        warning = f"nasray: whoever reaches {parsed.host}:{parsed.port} can read, change and delete all runs"
        Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(warning, style="yellow")
    start_ui(load_config(*_config_arguments(parsed)), parsed.host, parsed.port)
    return 0


def _is_loopback(host: str) -> bool:
    """Whether what listens on this address can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # another name
        return False


if __name__ == "__main__":
    sys.exit(main())
