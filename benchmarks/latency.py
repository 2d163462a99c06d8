"""How well do sums of layers tell the latency of whole networks, and how long does it take to know them all?

For the digits' space, for small images and for DNA's full space at 224 pixels, on this machine's processor. Printed are
the errors of the sums on networks that nothing was fitted to, before and after the one factor, and what the same
networks say of themselves when they are measured twice.

    python benchmarks/latency.py [--spaces digits,small_images,dna] [--repeats 30] [--networks 40] [--threads 1]
"""

import argparse
from collections.abc import Mapping
from typing import Any

from verdicts import Verdict, tell

from nasray.commands.latency import latency_table, measure_space
from nasray.search_spaces.chain import mbconv
from nasray.trainables.latency.meter import LatencySettings
from nasray.trainables.settings.compute import ComputeConfig

INPUTS = {
    "digits": ((1, 8, 8), 10),
    "small_images": ((3, 32, 32), 10),
    "dna": ((3, 224, 224), 1000),
}


def main() -> None:
    """Measure each space and print a line."""
    arguments = _arguments()
    settings = LatencySettings(
        num_repeats=arguments.repeats, num_networks=arguments.networks, batch_size=arguments.batch
    )
    compute = ComputeConfig(device="cpu", num_threads=arguments.threads)
    print(
        f"{'':<14}{'candidates':>11}{'layers':>8}{'s':>6}{'ms':>16}{'factor':>8}"
        f"{'sum':>16}{'times factor':>16}{'measured twice':>16}{'tau':>7}"
    )
    for name in arguments.spaces.split(","):
        space = getattr(mbconv, name)(*INPUTS[name])
        steps, figures = measure_space(space, settings, compute, seed=arguments.seed)
        tables = [latency_table(space, block, steps) for block in range(len(space.blocks))]
        least, most = (sum(getattr(t["latency_ms"], which)() for t in tables) for which in ("min", "max"))
        additivity = figures["additivity"]
        print(
            f"{name:<14}{sum(map(len, tables)):>11,}{figures['num_steps']:>8}{figures['seconds']:>6.0f}"
            f"{f'{least:.2f} to {most:.2f}':>16}{figures['scale']:>8.3f}"
            f"{_errors(additivity['before']):>16}{_errors(additivity['after']):>16}{_errors(figures['noise']):>16}"
            f"{additivity['after']['kendall_tau']:>7.3f}",
            flush=True,
        )
        after, twice = (errors["median_relative_error"] for errors in (additivity["after"], figures["noise"]))
        tell(
            Verdict(
                f"latency of whole networks, {name}: error", f"{after:.1%}", f"noise {twice:.1%}", after, 0.05
            )
        )


def _errors(figures: Mapping[str, Any]) -> str:
    """The median error and the 95th percentile."""
    return f"{figures['median_relative_error']:.1%}, {figures['p95_relative_error']:.1%}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spaces", default="digits,small_images,dna", help=f"of {', '.join(INPUTS)}")
    parser.add_argument("--repeats", type=int, default=30, help="how often each thing is timed, at least")
    parser.add_argument("--networks", type=int, default=40, help="whole networks, half of them held out")
    parser.add_argument("--threads", type=int, default=1, help="threads of the processor")
    parser.add_argument("--batch", type=int, default=1, help="images at once")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
