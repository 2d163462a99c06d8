"""Is torch.compile worth its time on this machine's processor?

The training step of a cell of the Fashion-MNIST search, as it is written and with `compute.compile`, which compiles the
supernet's operations. Printed are the steps' medians, interleaved, and how much longer the compiled steps took until
every operation was compiled; so many steps it takes to get that time back.

    python benchmarks/compiled_step.py [--rounds 40] [--root runs/compiled]
"""

import argparse
import statistics
import time
from pathlib import Path

from planned_units import prepared
from verdicts import Verdict, tell

from nasray.trainables.block_wise.step import BlockDistillation
from nasray.trainables.block_wise.units.cell import BlockSpec, build_data, build_supernet

_WARM_UP = 60  # steps of uniform paths, after which each of the cell's operations has been met


def main() -> None:
    """Print both steps, and what compiling took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--root", type=Path, default=Path("runs/compiled"))
    arguments = parser.parse_args()
    sizes = ["data.num_train_images=2048", "data.num_held_out_images=256"]
    written, compiled = (
        Steps(arguments.root, [*sizes, f"compute.compile={compiles}"]) for compiles in ("false", "true")
    )
    for steps in (written, compiled):
        for _ in range(_WARM_UP):
            steps.take()
    first, first_compiled = sum(written.seconds), sum(compiled.seconds)
    written.seconds, compiled.seconds = [], []
    for _ in range(arguments.rounds):
        written.take()
        compiled.take()
    plain, fast = (statistics.median(steps.seconds) for steps in (written, compiled))
    lost = first_compiled - first
    print(f"a step {1e3 * plain:.1f} ms, compiled {1e3 * fast:.1f} ms: {fast / plain:.2f}")
    if fast < plain:
        print(
            f"the first {_WARM_UP} steps took {lost:.0f} s more, which {lost / (plain - fast):,.0f} steps get back"
        )
    else:
        print(f"the first {_WARM_UP} steps took {lost:.0f} s more, which nothing gets back")
    tell(
        Verdict("torch.compile, a cell's step", f"{1e3 * fast:.1f} ms", f"{1e3 * plain:.1f} ms", fast / plain)
    )


class Steps:
    """The steps of the search's longest cell.

    Attributes:
        seconds: What they took so far.
    """

    def __init__(self, root: Path, changes: list[str]) -> None:
        _, units = prepared("fashion_mnist", root / changes[-1], changes)
        spec = max(
            (unit for unit in units if isinstance(unit.spec, BlockSpec)), key=lambda unit: unit.cost
        ).spec
        assert isinstance(spec, BlockSpec)
        block = spec.target.block
        supernet, data = build_supernet(spec.inputs, spec.target), build_data(spec.inputs, block)
        self._method = BlockDistillation(
            supernet, data, spec.target.config, block=block, seed=0, name=spec.name
        )
        self._batches = iter(self._method.start_epoch(0))
        self.seconds: list[float] = []

    def take(self) -> None:
        """A step on the next batch."""
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self._method.start_epoch(0))
            batch = next(self._batches)
        start = time.perf_counter()
        self._method.step(batch)
        self.seconds.append(time.perf_counter() - start)


if __name__ == "__main__":
    main()
