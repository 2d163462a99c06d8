"""Runs the benchmarks one after the other and ends with one table: ours, a peer's or the limit, the ratio, the aim.

About half an hour on two cores that have nothing else to do. Peers are read from the folder REFERENCE, with clones of
changlin31/DNA as DNA, D-X-Y/AutoDL-Projects and quark0/darts below it; without it they are left out, and said to be.

    python benchmarks/everything.py [--reference REFERENCE] [--only NAME ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from verdicts import PLACE, Verdict, told

_NEEDS_REFERENCE = {"released_dna", "sd_darts_step"}
_SCRIPTS: dict[str, list[str]] = {
    "ranking": [],
    "ranking_peers": ["--rounds", "1"],
    "allocation": ["--cells", "block_0/3x24"],
    "profile_block": ["--rounds", "15"],
    "released_dna": ["--rounds", "5"],
    "ray_overhead": ["--epochs", "1"],
    "scaling": [],
    "feature_memory": ["--steps", "50"],
    "kept_features": [],
    "memory": ["--images", "2500", "10000"],
    "compiled_step": [],
    "sd_darts_step": ["--threads", "1", "--batch-size", "4"],
    "sd_darts_teachers": [],
    "latency": ["--spaces", "digits,small_images"],
}


def main() -> None:
    """Run them and print the table; what a script prints itself is shown as it comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, default=os.environ.get("NASRAY_REFERENCE"))
    parser.add_argument("--only", nargs="*", choices=list(_SCRIPTS), default=list(_SCRIPTS), metavar="NAME")
    arguments = parser.parse_args()
    left_out = _NEEDS_REFERENCE.intersection(arguments.only) if arguments.reference is None else set()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "verdicts.jsonl"
        place.touch()
        environment = os.environ | {PLACE: str(place), "OMP_NUM_THREADS": "1"}
        if arguments.reference is not None:
            environment["NASRAY_REFERENCE"] = str(Path(arguments.reference).absolute())
        for name in arguments.only:
            if name not in left_out and not run(name, folder, environment):
                failed.append(name)
        print_table(told(place))
    for name in sorted(left_out):
        print(f"{name}.py: left out, give the folder of the repositories by --reference")
    if failed:
        sys.exit(f"ended with an error: {', '.join(failed)}")


def run(name: str, folder: str, environment: dict[str, str]) -> bool:
    """Run a script in a folder of its own for what it leaves; whether it went well."""
    print(f"\n{name}.py", flush=True)
    start = time.monotonic()
    work = Path(folder) / name
    work.mkdir()
    script = Path(__file__).with_name(f"{name}.py")
    outcome = subprocess.run(
        [sys.executable, str(script), *_SCRIPTS[name]], cwd=work, env=environment, check=False
    )
    print(f"({time.monotonic() - start:.0f} s)", flush=True)
    return outcome.returncode == 0


def print_table(verdicts: list[Verdict]) -> None:
    """Print a row per figure."""
    rows = [
        {
            "what": verdict.what,
            "ours": verdict.ours,
            "peer or limit": verdict.other,
            "ratio": f"{verdict.ratio:.2f}",
            "aim": verdict.aim,
            "met": verdict.met,
        }
        for verdict in verdicts
    ]
    print("\n" + pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
