import copy

import pytest
import torch

from nasray.trainables.core.trainable import DamagedCheckpointError
from nasray.trainables.sd_darts.voting.earlier_selves import state_of
from nasray.trainables.sd_darts.voting.teachers import (
    CachedLogits,
    EmaTeacher,
    SnapshotTeachers,
    build_teachers,
)
from nasray.trainables.settings.sd_darts import SelfDistillationConfig

NUM_IMAGES, NUM_CLASSES = 20, 10
ROWS = torch.arange(12)
IMAGES = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))


class Search:
    """A supernet that random steps move, four an epoch, with teachers that are told of all that happens."""

    def __init__(self, net, folder, **settings):
        self.net, self.folder = net, folder
        self.teachers = build_teachers(
            SelfDistillationConfig(**settings), net, folder, num_images=NUM_IMAGES, num_classes=NUM_CLASSES
        )
        self.step = self.epoch = 0
        self.copies, self.said = {}, {}

    def run_epoch(self):
        self.teachers.discard_unused()
        generator = torch.Generator().manual_seed(self.epoch)
        for rows in torch.randperm(NUM_IMAGES, generator=generator).split(5):
            with torch.no_grad():
                for parameter in self.net.parameters():
                    parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
                logits = self.net.train()(torch.randn(len(rows), 1, 8, 8, generator=generator))
            self.teachers.record(rows, logits)
            self.said.setdefault(self.epoch, torch.zeros(NUM_IMAGES, NUM_CLASSES))[rows] = logits
            self.teachers.after_step(self.step)
            self.step += 1
            self.copies[f"step_{self.step}"] = copy.deepcopy(self.net)
        self.teachers.after_epoch(self.epoch)
        self.epoch += 1
        self.copies[f"epoch_{self.epoch}"] = copy.deepcopy(self.net)

    @property
    def queue(self):
        return [name for name, _ in self.teachers.state_dict()["snapshots"]]

    @property
    def files(self):
        return {path.stem: path.stat() for path in self.folder.glob("*")}


@pytest.fixture
def search(supernet, tmp_path):
    return lambda **settings: Search(supernet(), tmp_path / "parts", **settings)


def test_the_config_decides_who_teaches(search):
    assert isinstance(search(unit="step").teachers, SnapshotTeachers)
    assert isinstance(search(mode="cache").teachers, CachedLogits)
    assert isinstance(search().teachers, SnapshotTeachers)
    assert isinstance(search(teacher="ema").teachers, EmaTeacher)


@pytest.mark.parametrize(
    ("settings", "queues"),
    [
        (
            {"num_snapshots": 2},
            [["epoch_1"], ["epoch_1", "epoch_2"], ["epoch_2", "epoch_3"], ["epoch_3", "epoch_4"]],
        ),
        ({"num_snapshots": 2, "every": 2}, [[], ["epoch_2"], ["epoch_2"], ["epoch_2", "epoch_4"]]),
        (
            {"num_snapshots": 3, "every": 2, "unit": "step"},
            [["step_2", "step_4"], ["step_4", "step_6", "step_8"], ["step_8", "step_10", "step_12"]],
        ),
        ({"num_snapshots": 1, "every": 3, "unit": "step"}, [["step_3"], ["step_6"], ["step_12"]]),
        (
            {"mode": "cache", "num_snapshots": 2, "every": 2},
            [[], ["epoch_2"], ["epoch_2"], ["epoch_2", "epoch_4"]],
        ),
    ],
)
def test_the_queue_holds_the_last_snapshots(search, settings, queues):
    run = search(**settings)
    for queue in queues:
        run.run_epoch()
        assert run.queue == queue


@pytest.mark.parametrize("settings", [{}, {"norm": "running"}, {"unit": "step", "every": 3}])
def test_snapshots_say_what_deep_copies_say(search, settings):
    run = search(num_snapshots=2, mode="forward", **settings)
    assert run.teachers.logits(ROWS, IMAGES) is None
    for _ in range(3):
        run.run_epoch()
    logits = run.teachers.logits(ROWS, IMAGES)
    assert logits.shape == (2, 12, NUM_CLASSES)
    for name, one in zip(run.queue, logits, strict=True):
        expected = run.copies[name].train(settings.get("norm") != "running")(IMAGES)
        torch.testing.assert_close(one, expected, rtol=0, atol=0)


def test_the_cache_says_what_the_supernet_said(search):
    run = search(mode="cache", num_snapshots=2)
    assert run.teachers.logits(ROWS, IMAGES) is None
    for _ in range(3):
        run.run_epoch()
    rows = torch.tensor([3, 19, 0])
    logits = run.teachers.logits(rows, IMAGES[:3])
    assert torch.equal(logits, torch.stack([run.said[1][rows], run.said[2][rows]]))


def test_the_average_is_the_exponential_one(search):
    run = search(teacher="ema", ema_decay=0.7)
    assert run.teachers.logits(ROWS, IMAGES) is None
    for _ in range(2):
        run.run_epoch()
    states = [state_of(run.copies[f"step_{step}"]) for step in range(1, 9)]
    averaged = copy.deepcopy(run.net)
    weights = [0.7**7] + [0.3 * 0.7 ** (8 - step) for step in range(2, 9)]
    assert sum(weights) == pytest.approx(1)
    found = run.teachers.state_dict()["average"]
    expected = {}
    for name in states[0]:
        if states[0][name].is_floating_point():
            parts = (weight * state[name].double() for weight, state in zip(weights, states, strict=True))
            expected[name] = sum(parts).to(states[0][name].dtype)
            torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
        else:
            expected[name] = states[-1][name]
            assert torch.equal(found[name], expected[name])
    averaged.load_state_dict(expected)
    (logits,) = run.teachers.logits(ROWS, IMAGES)
    torch.testing.assert_close(logits, averaged.train()(IMAGES), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mode", ["forward", "cache"])
def test_each_snapshot_is_written_once_and_old_ones_go(search, mode):
    run = search(num_snapshots=2, mode=mode)
    seen = {}
    for epoch in range(1, 6):
        run.run_epoch()
        run.teachers.state_dict()
        for name, stat in run.files.items():
            assert (stat.st_ino, stat.st_mtime_ns) == seen.setdefault(name, (stat.st_ino, stat.st_mtime_ns))
        assert len(run.files) <= 2 + 1
        run.teachers.discard_unused()
        assert (
            sorted(run.files)
            == sorted(run.queue)
            == [f"epoch_{e}" for e in range(max(1, epoch - 1), epoch + 1)]
        )
    assert len(seen) == 5


def test_snapshots_that_no_checkpoint_saw_are_not_written(search):
    run = search(num_snapshots=2, unit="step")
    for _ in range(3):
        run.run_epoch()
        run.teachers.state_dict()
        assert len(run.files) <= 2 * 2  # those of the last checkpoint go when the next one stands
    run.teachers.discard_unused()
    assert set(run.files) == {"step_11", "step_12"}


@pytest.mark.parametrize(
    "settings", [{"mode": "forward"}, {"unit": "step", "every": 3}, {"mode": "cache"}, {"teacher": "ema"}]
)
def test_teachers_go_on_from_their_state(search, supernet, settings, tmp_path):
    run = search(**settings)
    for _ in range(2):
        run.run_epoch()
    state = copy.deepcopy(run.teachers.state_dict())
    other = Search(supernet(seed=1), tmp_path / "parts", **settings)
    other.teachers.load_state_dict(state)
    assert torch.equal(other.teachers.logits(ROWS, IMAGES), run.teachers.logits(ROWS, IMAGES))
    other.net.load_state_dict(run.net.state_dict())
    other.step, other.epoch = run.step, run.epoch
    for one in (run, other):
        one.run_epoch()
    assert torch.equal(other.teachers.logits(ROWS, IMAGES), run.teachers.logits(ROWS, IMAGES))


@pytest.mark.parametrize("mode", ["forward", "cache"])
def test_a_lost_file_leaves_the_teachers_as_they_were(search, supernet, mode, tmp_path):
    run = search(mode=mode)
    for _ in range(3):
        run.run_epoch()
    state = run.teachers.state_dict()
    (tmp_path / "parts" / "epoch_3.pt").unlink()
    fresh = Search(supernet(seed=1), tmp_path / "parts", mode=mode)
    with pytest.raises(DamagedCheckpointError, match=r"epoch_3\.pt"):
        fresh.teachers.load_state_dict(state)
    assert fresh.teachers.logits(ROWS, IMAGES) is None
    assert fresh.queue == []
