"""The search's entry as a script: `python nasray/launch.py [CONFIG] [a.b=value ...]`, and what `ray submit` runs.

`ray submit` copies this file alone, so it holds nothing but the call; the packages are installed on the nodes.
"""

import sys
from pathlib import Path

# A script's own folder comes first on the path, where nasray's modules would hide packages of the same names.
sys.path = [
    entry for entry in sys.path if not entry or Path(entry).resolve() != Path(__file__).resolve().parent
]

from nasray.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(["search", *sys.argv[1:]]))
