import json
import os
import stat
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from nasray.search_spaces.files.atomic_file import (
    DiskFullError,
    remove_temporaries,
    replacing,
    write_json,
    write_parquet,
    write_text,
)


def test_a_file_replaces_the_old_one_as_a_whole(tmp_path):
    path = tmp_path / "new" / "text.txt"
    write_text(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), replacing(path) as temporary, temporary.open("w") as file:
        file.writelines(["half of the ne", None])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_as_readable_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "value.json", {"b": 1, "a": [2.5, None]})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "value.json").stat().st_mode) == 0o640
    assert list(json.loads((tmp_path / "value.json").read_text()).items()) == [("b", 1), ("a", [2.5, None])]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def write_with(write):
    def write_large(path):
        with replacing(path) as temporary:
            write(temporary)

    return write_large


LARGE = np.random.default_rng(0).random(1_000_000)
WRITERS = {
    "text": lambda path: write_text(path, "x" * 2_000_000),
    "parquet": lambda path: write_parquet(path, pd.DataFrame({"x": LARGE})),
    "torch": write_with(lambda path: torch.save({"x": torch.from_numpy(LARGE)}, path)),
    "safetensors": write_with(lambda path: save_file({"x": torch.from_numpy(LARGE)}, path)),
    "numpy": write_with(lambda path: np.save(path.open("wb"), LARGE)),
    "folder": lambda path: write_text(path.parent / "new" / "text.txt", "x" * 2_000_000),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_named_and_has_no_half_file(small_disk, writer):
    with pytest.raises(DiskFullError, match=f"there must be space for {small_disk}.*free some and run"):
        writer(small_disk / "file")
    assert not [path for path in small_disk.rglob("*") if path.is_file()]
    write_text(small_disk / "file", "now there is space")


def test_other_failures_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file") as temporary:
        temporary.write_bytes((tmp_path / "gone").read_bytes())
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_left_can_be_removed(tmp_path):
    write_text(tmp_path / "last.pt", "whole")
    writer = replacing(tmp_path / "last.pt")
    writer.__enter__().write_text("half")  # and is killed: the body never ends
    (tmp_path / ".mine").touch()
    assert len(list(tmp_path.iterdir())) == 3
    remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine", "last.pt"]
    assert (tmp_path / "last.pt").read_text() == "whole"
