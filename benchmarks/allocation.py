"""What is it worth to keep the memory that tensors leave, and what does it take?

Steps of cells of the Fashion-MNIST search, each measurement in a process of its own, in a thread as Tune's trials are:
with `trainables/allocation.py`, and with glibc's own ways. Medians of interleaved rounds.

    python benchmarks/allocation.py [--cells block_0/3x24 ...] [--steps 15] [--rounds 5] [--root runs/allocation]
"""

import argparse
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planned_units import prepared
from unit_steps import take_steps
from verdicts import Verdict, tell

from trainables import training
from trainables.block_distillation.trainable import BlockSpec

_BY_ITSELF = "glibc"


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
            kept.append(measured(file, arguments.steps, "kept"))
            given_back.append(measured(file, arguments.steps, _BY_ITSELF))
        medians = [[statistics.median(one) for one in zip(*arm, strict=True)] for arm in (kept, given_back)]
        ratios = [
            statistics.median(a[k] / b[k] for a, b in zip(kept, given_back, strict=True)) for k in (0, 1)
        ]
        (ms, mb), (glibc_ms, glibc_mb) = medians
        print(
            f"{cell:14}{ms:12.1f}{glibc_ms:12.1f}{ratios[0]:8.2f}{mb:12.0f}{glibc_mb:12.0f}{ratios[1]:8.2f}"
        )
        tell(
            Verdict(
                f"step of {cell}, memory kept against glibc", f"{ms:.0f} ms", f"{glibc_ms:.0f} ms", ratios[0]
            )
        )


def measured(spec_file: Path, steps: int, way: str) -> tuple[float, float]:
    """Milliseconds of a step and megabytes at the peak, in a new process."""
    command = [sys.executable, __file__, "--measure", str(spec_file), str(steps), way]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    milliseconds, megabytes = map(float, output.split())
    return milliseconds, megabytes


def measure(spec_file: str, steps: str, way: str) -> None:
    """Print both, of this process."""
    if way == _BY_ITSELF:
        training.keep_freed_memory = lambda: None
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(take_steps, Path(spec_file), int(steps), "").result()
    print(1e3 * found["step"], found["peak"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        main()
