import hashlib
import pickle

import pytest
import torch

from nasray.trainables.core.trainable import DamagedCheckpointError
from nasray.trainables.sd_darts.voting.snapshots import SnapshotFiles


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {
        "weight": torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last),
        "count": torch.tensor(7),
    }


def identity(path):
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns


def test_a_snapshot_is_read_as_it_was_kept(tmp_path, tensors):
    digest = SnapshotFiles(tmp_path / "parts").keep("epoch_1", tensors)
    found = SnapshotFiles(tmp_path / "parts").read("epoch_1", digest)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)
        assert found[name].stride() == tensor.stride()
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["epoch_1.pt"]


def test_a_snapshot_is_written_once(tmp_path, tensors):
    files = SnapshotFiles(tmp_path)
    digest = files.keep("epoch_1", tensors)
    before = identity(tmp_path / "epoch_1.pt")
    assert files.keep("epoch_1", tensors) == digest
    other_process = SnapshotFiles(tmp_path)
    other_process.read("epoch_1", digest)
    assert other_process.keep("epoch_1", tensors) == digest
    assert identity(tmp_path / "epoch_1.pt") == before


def test_a_file_of_another_run_is_replaced(tmp_path, tensors):
    other = SnapshotFiles(tmp_path).keep("epoch_1", {"weight": torch.zeros(3)})
    digest = SnapshotFiles(tmp_path).keep("epoch_1", tensors)
    assert digest != other
    assert SnapshotFiles(tmp_path).read("epoch_1", digest).keys() == tensors.keys()


@pytest.mark.parametrize("damage", ["missing", "cut off", "one bit", "another snapshot"])
def test_damage_is_noticed(tmp_path, tensors, damage):
    files = SnapshotFiles(tmp_path)
    digest, other = files.keep("a", tensors), files.keep("b", {"weight": torch.zeros(3)})
    assert digest != other
    path = tmp_path / "a.pt"
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "one bit":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        (tmp_path / "b.pt").replace(path)
    with pytest.raises(DamagedCheckpointError, match=r"a\.pt must be"):
        SnapshotFiles(tmp_path).read("a", digest)


def test_only_those_in_use_stay(tmp_path, tensors):
    files = SnapshotFiles(tmp_path)
    for name in ("a", "b", "c"):
        files.keep(name, tensors)
    files.keep_only(["b"])
    assert [path.name for path in tmp_path.iterdir()] == ["b.pt"]
    files.keep("a", tensors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt", "b.pt"]
    SnapshotFiles(tmp_path / "none").keep_only(["a"])


def test_a_snapshot_cannot_run_code(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (print, ("code ran",))

    files = SnapshotFiles(tmp_path)
    torch.save({"weight": Malicious()}, tmp_path / "a.pt")
    digest = hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        files.read("a", digest)
