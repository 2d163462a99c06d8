"""The search's entry as a script: `python nasray/launch.py [CONFIG] [a.b=value ...]`, and what `ray submit` runs.

`ray submit` copies this file alone to a node's home folder and starts it there, so it holds nothing but the call; the
packages are installed on the nodes.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# A script's own folder comes first on the path, where nasray's modules would hide packages of the same names.
sys.path = [entry for entry in sys.path if not entry or Path(entry).resolve() != HERE]

from nasray.cli import main  # noqa: E402

if __name__ == "__main__":
    # On a cluster of `ray up`, configs and modules lie in the folder that was brought to all nodes.
    if Path.home().resolve() == HERE and (folder := os.environ.get("NASRAY_FOLDER")):
        if not Path(folder).is_dir():
            sys.exit(f"nasray: NASRAY_FOLDER must be a folder of this node, got {folder}: run `ray up` again")
        os.chdir(folder)
    sys.exit(main(["search", *sys.argv[1:]]))
