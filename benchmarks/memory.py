"""How much memory do a unit, the driver and Ray's object store take, with few images and with many?

Watches the processes while nasray's schedule trains the first cell of the Fashion-MNIST search for an epoch. What
counts of a process is its own memory, which no file backs: features are read through the page cache, which the system
takes back when it wants (see `feature_memory.py`).

    python benchmarks/memory.py [--images 5000 20000] [--root runs/memory]
"""

import argparse
import re
import threading
from pathlib import Path

import psutil
from planned_units import prepared
from timeline import run_units
from verdicts import Verdict, tell

_INTERVAL = 0.2
_OWN = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_SHARED = re.compile(r"^RssShmem:\s+(\d+) kB", re.MULTILINE)


def main() -> None:
    """Print a row per number of images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs=2, default=[5000, 20000])
    parser.add_argument("--root", type=Path, default=Path("runs/memory"))
    arguments = parser.parse_args()
    print(f"{'images':>10}" + "".join(f"{f'{kind}, MB':>18}" for kind in Watch.kinds))
    peaks = []
    for images in arguments.images:
        changes = [f"data.num_train_images={images}", "searches.0.epochs=1", f"name=images_{images}"]
        config, units = prepared(
            "fashion_mnist", arguments.root, [*changes, "features.mode=[cached,online,online]"]
        )
        with Watch() as watch:
            run_units(config, units[:1], 1)
        peaks.append(watch.peaks)
        print(f"{images:>10,}" + "".join(f"{watch.peaks[kind]:>18.0f}" for kind in Watch.kinds), flush=True)
    few, many = peaks
    times = arguments.images[1] / arguments.images[0]
    for kind in Watch.kinds:
        figures = (f"{many[kind]:.0f} MB", f"{few[kind]:.0f} MB", many[kind] / max(few[kind], 1.0))
        tell(Verdict(f"memory of the {kind}, {times:g} times the images", *figures))


class Watch:
    """Looks at this process and those that it starts, from time to time.

    Attributes:
        peaks: The most that one of a kind took, in MB.
    """

    kinds = ("unit", "driver", "object store")

    def __init__(self) -> None:
        self.peaks = dict.fromkeys(self.kinds, 0.0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        driver = psutil.Process()
        while not self._over.wait(_INTERVAL):
            self._note("driver", driver, _OWN)
            for process in driver.children(recursive=True):
                name = _title(process)
                if name.startswith("ray::"):
                    self._note("unit", process, _OWN)
                elif "raylet" in name:
                    self._note("object store", process, _SHARED)

    def _note(self, kind: str, process: psutil.Process, what: re.Pattern[str]) -> None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            return
        found = what.search(status)
        if found:
            self.peaks[kind] = max(self.peaks[kind], int(found[1]) / 1000)


def _title(process: psutil.Process) -> str:
    """The first word of its command line; empty when it is gone."""
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:
        return ""


if __name__ == "__main__":
    main()
