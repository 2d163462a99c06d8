import pytest
import torch
from torch import nn

from nasray.trainables.core.trainable import (
    check_unchanged,
    confirm_output,
    load_checkpoint,
    mark_done,
    read_done,
    save_checkpoint,
    train,
)


class Walk:
    """A method that moves a weight by noise from torch's global generator and from an optimiser with momentum."""

    def __init__(self, num_epochs):
        torch.manual_seed(1)
        self.num_epochs = num_epochs
        self.model = nn.Linear(3, 1)
        self._optimizer = torch.optim.Adam(self.model.parameters(), 0.1)

    def start_epoch(self, epoch):
        return [torch.randn(4, 3) for _ in range(3)]

    def step(self, batch):
        loss = self.model(batch).square().mean() + torch.rand(())
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return {"train_loss": loss.detach()}, len(batch)

    def evaluate(self, epoch):
        return {"noise": float(torch.rand(()))}

    def state_dict(self):
        return {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])


def without_times(metrics):
    return {key: value for key, value in metrics.items() if key in ("epoch", "train_loss", "noise")}


def test_an_interrupted_training_ends_like_one_that_was_not(tmp_path):
    whole = Walk(5)
    expected = [without_times(m) for m in train(whole, tmp_path / "whole", seed=0, name="walk", inputs="x")]
    interrupted = train(Walk(5), tmp_path / "parts", seed=0, name="walk", inputs="x")
    for _ in range(2):
        next(interrupted)
    interrupted.close()
    torch.rand(17)  # whatever else draws from the global generator in between
    resumed = Walk(5)
    found = list(train(resumed, tmp_path / "parts", seed=0, name="walk", inputs="x"))
    assert [without_times(m) for m in found] == expected
    assert [m.get("replayed", False) for m in found] == [True, True, False, False, False]
    assert torch.equal(resumed.model.weight, whole.model.weight)


def test_a_checkpoint_of_other_inputs_is_not_gone_on_from(tmp_path):
    next(train(Walk(3), tmp_path, seed=0, name="walk", inputs="x"))
    metrics = list(train(Walk(3), tmp_path, seed=0, name="walk", inputs="y"))
    assert [m.get("replayed", False) for m in metrics] == [False] * 3


def test_other_names_draw_other_numbers(tmp_path):
    first, second = (
        next(train(Walk(1), tmp_path / name, seed=0, name=name, inputs="x")) for name in ("a", "b")
    )
    assert first["noise"] != second["noise"]


def test_a_checkpoint_that_cannot_be_read_counts_as_none(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.arange(1000)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert load_checkpoint(path) is None
    assert not path.exists()
    assert load_checkpoint(path) is None


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_found_or_harmless(tmp_path):
    """torch itself reads over most of them."""
    path, state = tmp_path / "last.pt", {"weights": torch.arange(50.0), "history": [{"epoch": 1}]}
    save_checkpoint(path, state)
    whole = path.read_bytes()
    num_found = 0
    for position in range(0, len(whole), 3):
        content = bytearray(whole)
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        found = load_checkpoint(path)
        num_found += found is None
        assert found is None or (
            torch.equal(found["weights"], state["weights"]) and found["history"] == state["history"]
        )
    assert num_found > len(whole) / 10


def test_what_is_found_damaged_is_kept_and_said(tmp_path, caplog):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert load_checkpoint(path) is None
    assert (tmp_path / "last.pt.damaged").read_bytes() == content
    (message,) = caplog.messages
    assert message.startswith(f"{path} was damaged (")
    assert message.endswith("it is kept as last.pt.damaged, and begun anew")


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (print, ("code ran",))

    path = tmp_path / "last.pt"
    torch.save({"weights": Malicious()}, path)
    assert load_checkpoint(path) is None


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"epoch": (i for i in range(3))})
    assert load_checkpoint(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_the_done_marker_removes_the_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "last.pt", {"epoch": 1})
    assert read_done(tmp_path) is None
    mark_done(tmp_path, "digest", [{"epoch": 1}])
    done = read_done(tmp_path)
    assert (done["inputs"], done["history"]) == ("digest", [{"epoch": 1}])
    assert not (tmp_path / "last.pt").exists()


@pytest.fixture
def output(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_text("weights")
    mark_done(tmp_path, "digest", [], [path])
    return path


def test_a_changed_output_is_refused_until_it_is_confirmed(output):
    check_unchanged(output.parent, output)
    output.write_text("Weights")
    with pytest.raises(ValueError, match=rf"{output} must be what was written, but it is damaged"):
        check_unchanged(output.parent, output)
    confirm_output(output.parent, output)
    check_unchanged(output.parent, output)
    assert read_done(output.parent)["inputs"] == "digest"


def test_an_output_of_no_marker_is_not_judged(tmp_path):
    (tmp_path / "weights").write_text("weights")
    check_unchanged(tmp_path, tmp_path / "weights")
    confirm_output(tmp_path, tmp_path / "weights")
    assert read_done(tmp_path) is None


@pytest.mark.parametrize("content", ["{", "\xff", ""])
def test_a_damaged_marker_is_none(tmp_path, content):
    (tmp_path / "done.json").write_text(content, encoding="latin-1")
    assert read_done(tmp_path) is None
