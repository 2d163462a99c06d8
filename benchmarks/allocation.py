"""What is it worth to keep the memory that tensors leave, and what does it take?

Steps of cells of the Fashion-MNIST search, each measurement in a process of its own, in a thread as Tune's trials are:
with `trainables/core/allocation.py`, and with glibc's own ways. Medians of interleaved rounds.

    python benchmarks/allocation.py [--cells block_0/3x24 ...] [--steps 15] [--rounds 5] [--root runs/allocation]
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from planned_units import prepared
from unit_steps import measured
from verdicts import Verdict, tell

from nasray.trainables.block_wise.units.cell import BlockSpec


def main() -> None:
    """Print a row per cell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=["block_0/3x24", "block_2/3x96"])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, default=Path("runs/allocation"))
    arguments = parser.parse_args()
    sizes = ["data.num_train_images=4096", "data.num_held_out_images=256"]
    _, units = prepared("fashion_mnist", arguments.root, sizes)
    specs = {unit.name: unit.spec for unit in units if isinstance(unit.spec, BlockSpec)}
    print(
        f"{'':14}{'kept, ms':>12}{'glibc, ms':>12}{'ratio':>8}{'kept, MB':>12}{'glibc, MB':>12}{'ratio':>8}"
    )
    for cell in arguments.cells:
        file = arguments.root / "spec.json"
        file.write_text(specs[cell].model_dump_json(), encoding="utf-8")
        kept, given_back = [], []
        for _ in range(arguments.rounds):
            kept.append(measured(file, arguments.steps))
            given_back.append(measured(file, arguments.steps, keep=False))
        seconds, other_seconds, ratio = medians(kept, given_back, "step")
        peak, other_peak, peak_ratio = medians(kept, given_back, "peak")
        print(
            f"{cell:14}{1e3 * seconds:12.1f}{1e3 * other_seconds:12.1f}{ratio:8.2f}"
            f"{peak:12.0f}{other_peak:12.0f}{peak_ratio:8.2f}"
        )
        times = (f"{1e3 * seconds:.0f} ms", f"{1e3 * other_seconds:.0f} ms", ratio)
        tell(Verdict(f"step of {cell}, memory kept against glibc", *times))


def medians(
    ours: Sequence[Mapping[str, float]], others: Sequence[Mapping[str, float]], name: str
) -> tuple[float, float, float]:
    """The median of a figure over the rounds, the other's, and that of the rounds' ratios."""
    pairs = [(a[name], b[name]) for a, b in zip(ours, others, strict=True)]
    one, other = (statistics.median(figures) for figures in zip(*pairs, strict=True))
    return one, other, statistics.median(a / b for a, b in pairs)


if __name__ == "__main__":
    main()
