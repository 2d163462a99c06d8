"""What a wheel holds; cluster nodes install one, so that what is missing there is missing only there."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_every_package_is_installed():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = project["tool"]["setuptools"]
    moved = {folder: name for name, folder in setuptools["package-dir"].items()}
    found = {
        path.parent.relative_to(REPOSITORY).as_posix()
        for top in ("nasray", "search_spaces", "trainables", "analysis", "configs")
        for path in (REPOSITORY / top).rglob("__init__.py")
    }
    assert {moved.get(folder, folder.replace("/", ".")) for folder in found} == set(setuptools["packages"])
    assert len(setuptools["packages"]) == len(set(setuptools["packages"]))
