"""What does a search survive, and is its ranking the same as if nothing had happened?

The smallest search (the digits, two blocks, three cells; one unit at a time) is run undisturbed, then disturbed in each
way below, each time in a storage folder of its own. A fault is survived if `ranking.parquet` is identical, byte for
byte, to the undisturbed one, no traceback was shown, and what the fault's own file in `faults/` asks for holds: a
message where something is damaged or full, no finished unit that is run again, all epochs in MLflow. The first fault
that is not survived ends the program. Lost is the work that was destroyed and done again, and what was spent on
starting it where it had not come to work yet. The full disk needs root, which mounts a small one.

    python benchmarks/chaos.py [--faults kill_units,fill_disk] [--seed 0] [--folder FOLDER]
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from faults.damaged import flip_in_checkpoint, flip_in_features, flip_in_results, truncate_checkpoint
from faults.full_disk import fill_disk, is_possible
from faults.killed import kill_command, kill_units
from faults.mlflow_away import stop_mlflow
from faults.nodes import replace_node
from faults.outcome import Outcome, Place
from faults.search import Search

_FAULTS: dict[str, Callable[[Place], Outcome]] = {
    fault.__name__: fault
    for fault in (
        kill_units,
        kill_command,
        replace_node,
        fill_disk,
        truncate_checkpoint,
        flip_in_checkpoint,
        flip_in_features,
        flip_in_results,
        stop_mlflow,
    )
}


def main() -> None:
    """Print a row per fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", default=",".join(_FAULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="kept; without it, a temporary one")
    arguments = parser.parse_args()
    names = arguments.faults.split(",")
    with tempfile.TemporaryDirectory(prefix="chaos", ignore_cleanup_errors=True) as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        beginnings = _prepare(folder)
        print(f"{'fault':<22}{'times':>8}{'survived':>10}{'lost':>10}{'in all':>10}")
        for name in names:
            if name == fill_disk.__name__ and not is_possible():
                print(f"{name:<22}  only root can mount a small disk")
                continue
            shutil.rmtree(folder / name, ignore_errors=True)
            rng = Random(f"{arguments.seed} {name}")
            start = time.monotonic()
            outcome = _FAULTS[name](Place(folder / name, *beginnings, rng))
            lost = "" if outcome.seconds_lost is None else f"{outcome.seconds_lost:.1f} s"
            print(
                f"{name:<22}{outcome.injected:>8}{outcome.survived:>10}{lost:>10}{time.monotonic() - start:>8.0f} s",
                flush=True,
            )


def _prepare(folder: Path) -> tuple[bytes, Path, Path]:
    """The undisturbed ranking, and the folders of a run that has its features and of one that is finished."""
    features, finished, undisturbed = (
        folder / "with_features",
        folder / "finished",
        Search(folder / "undisturbed"),
    )
    start = time.monotonic()
    undisturbed.complete()
    print(f"undisturbed: {time.monotonic() - start:.0f} s")
    if not finished.exists():
        Search(features).complete("--stages", "features")
        shutil.copytree(features, finished)
        Search(finished).complete()
    return undisturbed.ranking, features, finished


if __name__ == "__main__":
    main()
