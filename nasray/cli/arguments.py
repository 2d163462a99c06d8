"""The arguments of the console command `nasray`."""

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nasray.cli.types import amount, architecture, at_least, milliseconds, port
from nasray.search_spaces.artefacts.costs import COSTS
from nasray.search_spaces.artefacts.criteria import CRITERIA
from nasray.search_spaces.names.suggestion import did_you_mean

_TYPES = {"milliseconds": milliseconds}  # of bounds; other units are plain numbers


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, and the name of their `command`.

    Overrides may follow options, which argparse by itself would not take.
    """
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if any(text.startswith("-") for text in rest) or (rest and not hasattr(parsed, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides = [*parsed.overrides, *rest]
    return parsed


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the command or choice that was meant."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            hint = did_you_mean(str(value), map(str, action.choices))
            raise argparse.ArgumentError(
                action, f"must be one of {', '.join(map(str, action.choices))}, got {value!r}{hint}"
            )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="nasray", description="Neural architecture search that ranks all architectures.")
    parser.add_argument("--version", action="version", version=f"nasray {version('nasray')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

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
        help="of teacher, features, ratings, sd_darts, ranking, evidence, or a method's own (default: all)",
    )

    _add_rank(commands)
    _add_latency(commands)

    retrain = commands.add_parser("retrain", help="train architectures of a finished run for real")
    retrain.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    retrain.add_argument(
        "--architecture",
        action="append",
        required=True,
        type=architecture,
        metavar="ID",
        help="which, more than once for several",
    )
    retrain.add_argument(
        "overrides", nargs="*", metavar="a.b=value", help="changes to the config's section retrain"
    )

    additivity = commands.add_parser(
        "additivity", help="measure whether blocks act one by one, as a sum of ratings supposes"
    )
    additivity.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    additivity.add_argument(
        "--pairs", type=int, default=30, metavar="N", help="candidates drawn per pair of blocks (default: 30)"
    )

    _add_refine(commands)

    report = commands.add_parser("report", help="write a run's report page")
    report.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    report.add_argument(
        "--output", type=Path, metavar="FILE", help="(default: report.html in the run's folder)"
    )

    export = commands.add_parser("export", help="write a trained network as a folder that needs no nasray")
    export.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    export.add_argument(
        "--architecture", type=architecture, metavar="ID", help="(default: the best on the held-out images)"
    )
    export.add_argument(
        "--seed", type=int, help="which of its trainings (default: the best on the held-out images)"
    )
    export.add_argument("--format", choices=("torch", "torch.export", "onnx"), default="torch")
    export.add_argument(
        "--output", type=Path, metavar="FOLDER", help="(default: exports/... in the run's folder)"
    )

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
        command.set_defaults(thing=thing)

    for command in (retrain, additivity, export):
        _add_trust(command)

    commands.add_parser("schema", help="print the JSON Schema of a config, for editors")

    ui = commands.add_parser("ui", help="start MLflow's UI on the runs")
    ui.add_argument("config", nargs="?", metavar="CONFIG", help="as for search")
    ui.add_argument("overrides", nargs="*", metavar="a.b=value", help="changes to the config")
    ui.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    ui.add_argument("--port", type=port, default=5000)
    ui.add_argument("--login", action="store_true", help="let in only who has the password that is shown")
    return parser


def _add_rank(commands: Any) -> None:
    rank = commands.add_parser("rank", help="rank the architectures of a finished run again, in seconds")
    rank.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    for cost in COSTS.values():
        source = f"such as {cost.example}"
        if cost.measurement is not None:
            source = f"as `nasray {cost.measurement.command}` measured"
        rank.add_argument(
            cost.flag,
            dest=cost.name,
            metavar=cost.flag.strip("-").replace("-", "_").upper(),
            type=_TYPES.get(cost.unit, amount),
            help=f"at most so many {cost.unit}, {source}",
        )
    *first, last = (one.help for one in CRITERIA.values())
    rank.add_argument(
        "--by",
        choices=tuple(CRITERIA),
        help=f"{', '.join(first)}, or {last} (default: the config's ranking.by)",
    )
    rank.add_argument("--top", type=at_least(1), default=1000, help="how many architectures (default: 1000)")
    rank.add_argument(
        "--time-limit", type=amount, metavar="S", help="stop after so many seconds, proved or not"
    )
    rank.add_argument(
        "--resamples",
        type=at_least(0),
        default=100,
        help="rankings that tell how sure this one is; 0 for none (default: 100)",
    )
    rank.add_argument("--output", type=Path, metavar="FILE", help="a .parquet or .csv file to write")


def _add_refine(commands: Any) -> None:
    refine = commands.add_parser(
        "refine", help="rate on further held-out batches what decides a run's best architectures"
    )
    refine.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    refine.add_argument(
        "--top", type=int, default=10, metavar="K", help="how many architectures are the best (default: 10)"
    )
    refine.add_argument(
        "--batches",
        type=int,
        metavar="N",
        help="rate them on N held-out batches in all (default: all there are)",
    )
    _add_trust(refine)


def _add_latency(commands: Any) -> None:
    latency = commands.add_parser(
        "latency", help="measure the candidates' latency on this machine, to rank under a budget of it"
    )
    latency.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
    latency.add_argument("--device", choices=("cpu", "cuda"), help="(default: the config's compute.device)")
    latency.add_argument("--batch", type=int, default=1, help="images at once (default: 1)")
    latency.add_argument(
        "--repeats", type=int, default=30, help="how often each thing is timed, at least (default: 30)"
    )
    _add_trust(latency)


def _add_sweep_and_baselines(commands: Any) -> None:
    """The commands that search by other means than the search itself."""
    sweep = commands.add_parser("sweep", help="search for the settings of one unit, such as a block's cell")
    sweep.add_argument("config", nargs="?", metavar="CONFIG", help="as for search, with a section `sweep`")
    sweep.add_argument("overrides", nargs="*", metavar="a.b=value", help="changes to the config")

    baselines = commands.add_parser(
        "baselines", help="search a finished run's space by other strategies, which train networks for real"
    )
    baselines.add_argument("run_folder", metavar="RUN", help="the run's folder, or its URL in a store")
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
        "--seeds", type=int, default=1, help="how many searches each strategy makes (default: 1)"
    )
    baselines.add_argument(
        "overrides", nargs="*", metavar="a.b=value", help="changes to the config's section retrain.train"
    )
    _add_trust(baselines)


def _add_trust(command: Any) -> None:
    """What acts on a run's config may be given a run of somebody else."""
    command.add_argument(
        "--trust",
        metavar="DIGEST",
        help="of the code, cluster and server that a run of somebody else names, as the command tells it",
    )
