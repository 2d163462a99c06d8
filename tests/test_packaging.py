"""What is installed: `nasray` alone, whole, and without hiding a user's own modules."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, REPOSITORY], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_nasray_alone_stands_at_the_top(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nasray"}


def test_every_module_and_data_file_is_installed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        installed = set(archive.namelist())
    missing = {
        name
        for part in ("nasray", "search_spaces", "trainables", "analysis", "configs")
        for path in (REPOSITORY / part).rglob("*")
        if path.suffix in {".py", ".yaml", ".j2", ".css", ".js", ".mplstyle", ".typed"}
        and (name := _installed_name(path)) not in installed
    }
    assert missing == set()


def _installed_name(path):
    name = path.relative_to(REPOSITORY).as_posix()
    return name if name.startswith("nasray/") else f"nasray/{name}"
