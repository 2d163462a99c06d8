"""What do Tune, reports, checkpoints and MLflow add to the training of a cell?

Cells of the Fashion-MNIST search run one after the other, in nasray's own schedule with the live view and MLflow, and
in a plain loop over the same training in a process of its own, which keeps no checkpoint. Compared is the time from
the first cell's start to the last one's end. Cells take two epochs of 2,000 images here, those of the shipped config
ten of 10,000, so that what is added weighs more.

Then: how long it takes from the command `nasray search` to the first training step, in a new process.

    python benchmarks/ray_overhead.py [--cells 2] [--epochs 2] [--rounds 5] [--root runs/overhead]
"""

import argparse
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from plain_loop import plain_seconds
from planned_units import prepared
from timeline import run_units
from verdicts import Verdict, tell

from nasray.cluster.cluster import ray_cluster
from nasray.trainables.core import trainable

_SHORT_RATING = ["searches.0.rating.swap_in_images=0", "searches.0.rating.calibration_images=128"]


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--root", type=Path, default=Path("runs/overhead"))
    arguments = parser.parse_args()
    sizes = ["data.num_train_images=2000", "data.num_held_out_images=500", *_SHORT_RATING]
    config, units = prepared(
        "fashion_mnist", arguments.root, [*sizes, f"searches.0.epochs={arguments.epochs}"]
    )
    units = units[: arguments.cells]
    scheduled, plain = [], []
    with ray_cluster(config.resources):
        for _ in range(arguments.rounds):
            scheduled.append(run_units(config, units, 1).seconds)
            plain.append(plain_seconds(units))
    starts = [seconds_to_first_step(arguments.root / "start") for _ in range(arguments.rounds)]
    ours, bare, start = map(statistics.median, (scheduled, plain, starts))
    ratio = statistics.median(one / other for one, other in zip(scheduled, plain, strict=True))
    print(
        f"{len(units)} cells of {arguments.epochs} epochs: {ours:.1f} s, in a plain loop {bare:.1f} s: {ratio:.3f}"
    )
    print(f"from the command to the first step: {start:.1f} s")
    tell(
        Verdict(
            "Tune, MLflow, checkpoints against a plain loop", f"{ours:.1f} s", f"{bare:.1f} s", ratio, 1.05
        )
    )
    tell(Verdict("start-up: command to first step, s", f"{start:.1f} s", "10 s", start, 10))


def seconds_to_first_step(root: Path) -> float:
    """From the start of a search of the digits to the first step of its teacher's training."""
    shutil.rmtree(root, ignore_errors=True)
    checkpoint = root.absolute() / "digits" / "teacher" / trainable.CHECKPOINT
    script = Path(__file__).parent.parent / "nasray" / "launch.py"
    command = [
        sys.executable,
        str(script),
        "digits",
        f"storage.root={root.absolute()}",
        "teacher.train.epochs=1000",
        "resources.address=local",
    ]
    start = time.time()
    search = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not checkpoint.exists():
            assert search.poll() is None, "the search trains its teacher for longer than this takes"
            time.sleep(0.02)
        written = checkpoint.stat().st_mtime
        state = trainable.load_checkpoint(checkpoint)
        assert state is not None, "a checkpoint is whole as soon as it is there"
    finally:
        search.send_signal(signal.SIGINT)
        search.wait()
    return written - state["history"][0]["seconds"] - start


if __name__ == "__main__":
    main()
