"""Does a block train as fast when its features are four times as large as the memory that it may use?

The first block of the Fashion-MNIST search, at 56 x 56 pixels so that its features are large. The same steps are taken
in a process whose memory is not limited, and in one that may have a quarter of the features' bytes: a control group
counts the process's own memory and what the system keeps of the files that it reads, which are dropped from memory
before. Needs the right to make control groups (root). Medians over the rounds.

    python benchmarks/feature_memory.py [--images 40000] [--steps 150] [--rounds 5] [--root runs/feature_memory]
"""

import argparse
import os
import statistics
from pathlib import Path

from control_group import memory_limit
from planned_units import prepared
from unit_steps import measured
from verdicts import Verdict, tell

TIMES = 4


def main() -> None:
    """Print what a step takes with and without the limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=40000)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, default=Path("runs/feature_memory"))
    arguments = parser.parse_args()
    compare(arguments.root, arguments.images, arguments.steps, arguments.rounds)


def compare(root: Path, num_images: int, num_steps: int, num_rounds: int) -> None:
    """Print what a step takes with and without the limit."""
    changes = [f"data.num_train_images={num_images}", "data.image_size=56", "searches.0.batch_size=16"]
    _, units = prepared("fashion_mnist", root, [*changes, "features.mode=[cached,online,online]"])
    spec_file = root / "spec.json"
    spec_file.write_text(units[0].spec.model_dump_json(), encoding="utf-8")
    files = list((root / "features").glob("*/*/*.npy"))
    size = sum(file.stat().st_size for file in files)
    free, limited = [], []
    try:
        with memory_limit(size // TIMES) as group:
            for _ in range(num_rounds):
                free.append(measured(spec_file, num_steps))
                drop(files)
                limited.append(measured(spec_file, num_steps, group=str(group)))
    except PermissionError as error:
        print(f"Not measured: a control group must be made, which this user may not ({error}).")
        return
    names = ("step", "wait", "peak")
    one, other = (
        [statistics.median(arm[name] for arm in arms) for name in names] for arms in (free, limited)
    )
    print(
        f"{size / 1e6:.0f} MB of features; a step, of which waiting for features, and the peak of resident memory:"
    )
    for name, (step, wait, peak) in {
        "not limited": one,
        f"limited to {size // TIMES / 1e6:.0f} MB": other,
    }.items():
        print(f"{name:20}{1e3 * step:>8.1f} ms{wait:>8.1%}{peak:>8.0f} MB")
    ratio = statistics.median(b["step"] / a["step"] for a, b in zip(free, limited, strict=True))
    tell(
        Verdict(
            f"step, features {TIMES} times the memory allowed",
            f"{1e3 * other[0]:.0f} ms",
            f"{1e3 * one[0]:.0f} ms",
            ratio,
            1.05,
        )
    )


def drop(files: list[Path]) -> None:
    """Have the system keep nothing of the files in memory."""
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
