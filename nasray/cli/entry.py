"""The commands of `nasray`, their exit codes, and what they say of mistakes."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console

from nasray.account.faults import leave_traceback
from nasray.cli.arguments import parse_arguments
from nasray.errors import SearchFailedError, UserError
from nasray.interrupts import ended_by_sigterm
from nasray.search_spaces.artefacts.costs import COSTS

USAGE_ERROR, FAILURE, LEFT_OUT = 2, 1, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        The exit code: 0; 1 for a search whose units failed, or a fault of nasray; 2 for a mistake of the user's; 3 for
        a search that is done, but whose ranking leaves out architectures within the budgets, since candidates of theirs
        have no rating.
        Commands on a finished run, `rank` among them, say so and end with 0.
    """
    parsed = parse_arguments(arguments)
    error_console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        with ended_by_sigterm() as received, _run_at_hand(parsed):
            return _COMMANDS[parsed.command](parsed)
    except UserError as error:
        error_console.print(f"nasray: {error}", style="red")
        return USAGE_ERROR
    except SearchFailedError as error:
        error_console.print(f"nasray: {error}", style="red")
        return FAILURE
    except KeyboardInterrupt:
        error_console.print("nasray: interrupted; the same command goes on from here")
        return 128 + (received[0] if received else signal.SIGINT)
    except OSError as error:  # a disk, a permission or a network: the system's own words say which
        error_console.print(f"nasray: {error} (more in {leave_traceback(error)})", style="red")
        return USAGE_ERROR
    except Exception as error:
        kind = type(error).__name__
        error_console.print(
            f"nasray: a fault of nasray, {kind}: {error}\nIts traceback is in {leave_traceback(error)}: please report "
            "it with that file; what is done is kept",
            style="red",
        )
        return FAILURE


@contextmanager
def _run_at_hand(parsed: argparse.Namespace) -> Iterator[None]:
    """Within, RUN is a folder: of a run in a store, that to which it is brought."""
    if "run_folder" not in parsed:
        yield
        return
    from nasray.run.parts import refuse_several  # noqa: PLC0415

    _check_run(parsed.run_folder)
    with _opened(parsed) as parsed.run_folder:
        if parsed.command != "report":
            refuse_several(parsed.run_folder)
        if "trust" in parsed and parsed.trust is not None:
            from nasray.account.trust import trust  # noqa: PLC0415

            trust(parsed.run_folder / "config.yaml", parsed.trust)
        yield


def _opened(parsed: argparse.Namespace) -> AbstractContextManager[Path]:
    """RUN as a folder, opened for what the command does there."""
    from nasray.storage.opening import EXPORTS, REPORT, opened_to_read, opened_to_work  # noqa: PLC0415

    made = {"rank": None, "report": REPORT, "export": EXPORTS}
    if parsed.command not in made:
        return nullcontext(opened_to_work(parsed.run_folder))
    leaves = made[parsed.command] if parsed.output is None else None
    return opened_to_read(parsed.run_folder, tables_only=parsed.command != "export", leaves=leaves)


def _check_run(run: str) -> None:
    """Hold a URL given as RUN to what a config's may be, since it is kept beside what is fetched from it, too.

    Raises:
        UserError: It may hold a secret.
    """
    from nasray.storage.urls import check_url, is_url  # noqa: PLC0415

    if not is_url(run):
        return
    try:
        check_url(run)
    except ValueError as error:
        raise UserError(f"RUN {error}") from None


def _config_arguments(parsed: argparse.Namespace) -> tuple[str | None, list[str]]:
    """CONFIG and the overrides; CONFIG may be left out before overrides."""
    if parsed.config is not None and "=" in parsed.config:
        return None, [parsed.config, *parsed.overrides]
    return parsed.config, parsed.overrides


# The commands import what they need when they run, so that `nasray rank` starts without Ray and torch.


def _search(parsed: argparse.Namespace) -> int:
    from nasray.settings.loading import load_config  # noqa: PLC0415

    config, overrides = _config_arguments(parsed)
    console = Console(highlight=False, markup=False)
    load_config(config, overrides)  # a mistake is answered before what takes seconds to import
    from nasray.experiment import search  # noqa: PLC0415
    from nasray.views.summary import print_dry_run, print_result  # noqa: PLC0415

    if parsed.dry_run:
        print_dry_run(config, overrides, console)
        return 0
    stages = parsed.stages.split(",") if parsed.stages else None
    result = search(config, overrides, stages=stages, console=console)
    print_result(result, console)
    return LEFT_OUT if result.leaves_out else 0


def _sweep(parsed: argparse.Namespace) -> int:
    from nasray.sweeps.sweep import sweep  # noqa: PLC0415
    from nasray.sweeps.view import print_sweep  # noqa: PLC0415

    config, overrides = _config_arguments(parsed)
    console = Console(highlight=False, markup=False)
    print_sweep(sweep(config, overrides, console=console), console)
    return 0


def _retrain(parsed: argparse.Namespace) -> int:
    from nasray.commands.retrain import retrain  # noqa: PLC0415
    from nasray.views.evidence import print_evidence  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    print_evidence(
        retrain(parsed.run_folder, parsed.architecture, parsed.overrides, console=console), console
    )
    return 0


def _baselines(parsed: argparse.Namespace) -> int:
    from nasray.commands.baselines import baselines  # noqa: PLC0415
    from nasray.strategies.strategy import strategy_settings  # noqa: PLC0415
    from nasray.views.baselines import print_baselines  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    strategies = parsed.strategies.split(",") if parsed.strategies else None
    settings = strategy_settings(trainings=parsed.trainings, batch=parsed.batch)
    found = baselines(
        parsed.run_folder,
        parsed.overrides,
        strategies=strategies,
        settings=settings,
        num_seeds=parsed.seeds,
        console=console,
    )
    print_baselines(found, console)
    return 0


def _additivity(parsed: argparse.Namespace) -> int:
    from nasray.commands.additivity import measure_additivity  # noqa: PLC0415
    from nasray.views.additivity import print_additivity  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    print_additivity(measure_additivity(parsed.run_folder, parsed.pairs, console=console), console)
    return 0


def _refine(parsed: argparse.Namespace) -> int:
    from nasray.commands.refine import refine  # noqa: PLC0415
    from nasray.views.refine import print_refinement  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    print_refinement(refine(parsed.run_folder, parsed.top, parsed.batches, console=console), console)
    return 0


def _export(parsed: argparse.Namespace) -> int:
    from nasray.exporting.export import export_network  # noqa: PLC0415

    path = export_network(parsed.run_folder, parsed.architecture, parsed.output, parsed.format, parsed.seed)
    Console(highlight=False, markup=False, soft_wrap=True).print(path)
    return 0


def _report(parsed: argparse.Namespace) -> int:
    from nasray.run.report_page import report  # noqa: PLC0415

    path = report(parsed.run_folder, parsed.output)
    Console(highlight=False, markup=False, soft_wrap=True).print(path)
    return 0


def _rank(parsed: argparse.Namespace) -> int:
    from nasray.analysis.runs.rank import (  # noqa: PLC0415
        rank_run,
        ranking_inputs,
        read_budgets,
        read_criterion,
        write_with_proof,
    )
    from nasray.views.ranking import print_ranking  # noqa: PLC0415

    given = {name: getattr(parsed, name) for name in COSTS}
    budgets = read_budgets(parsed.run_folder) | {
        name: limit for name, limit in given.items() if limit is not None
    }
    by = parsed.by or read_criterion(parsed.run_folder)
    ranking = rank_run(parsed.run_folder, budgets, parsed.top, parsed.time_limit, parsed.resamples, by)
    if parsed.output is not None:
        inputs = ranking_inputs(parsed.run_folder, budgets, parsed.top, parsed.resamples, by)
        write_with_proof(ranking, inputs, parsed.output)
    print_ranking(ranking, Console(highlight=False, markup=False))
    return 0


def _latency(parsed: argparse.Namespace) -> int:
    from nasray.commands.latency import measure_latency  # noqa: PLC0415
    from nasray.trainables.latency.meter import LatencySettings  # noqa: PLC0415
    from nasray.views.latency import print_latency  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    settings = LatencySettings(batch_size=parsed.batch, num_repeats=parsed.repeats)
    figures = measure_latency(parsed.run_folder, settings, parsed.device, console=console)
    print_latency(figures, parsed.run_folder, console)
    return 0


def _inspect(parsed: argparse.Namespace) -> int:
    from nasray.views.describe import print_space, print_teacher  # noqa: PLC0415

    show = print_teacher if parsed.thing == "teacher" else print_space
    show(*_config_arguments(parsed), Console(highlight=False, markup=False))
    return 0


def _schema(parsed: argparse.Namespace) -> int:
    from nasray.settings.schema import config_schema  # noqa: PLC0415

    sys.stdout.write(json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n")
    return 0


def _ui(parsed: argparse.Namespace) -> int:
    from nasray.settings.loading import load_config  # noqa: PLC0415
    from nasray.tracking.mlflow_ui import serve_ui  # noqa: PLC0415

    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    config = load_config(*_config_arguments(parsed))
    return serve_ui(config, parsed.host, parsed.port, console, needs_login=parsed.login)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "search": _search,
    "rank": _rank,
    "latency": _latency,
    "retrain": _retrain,
    "additivity": _additivity,
    "refine": _refine,
    "report": _report,
    "export": _export,
    "sweep": _sweep,
    "baselines": _baselines,
    "inspect": _inspect,
    "schema": _schema,
    "ui": _ui,
}
