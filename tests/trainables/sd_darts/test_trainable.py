import json

import pytest
import torch

from nasray.trainables.core.trainable import load_checkpoint, read_done
from nasray.trainables.sd_darts.supernets.cell_supernet import MixedCellSupernet
from nasray.trainables.sd_darts.supernets.chain_supernet import ChainSupernet
from nasray.trainables.sd_darts.supernets.supernet import mean_entropy
from nasray.trainables.sd_darts.trainable import Found, SdDartsSpec, build_supernet
from nasray.trainables.settings.sd_darts import SdDartsConfig
from nasray.trainables.units import parse_spec, run_unit

NOT_COMPARED = {"seconds", "samples_per_second", "data_wait_share", "resident_bytes", "replayed"}
EPOCHS = 4
SNAPSHOTS = {"num_snapshots": 2, "start_epoch": 1, "mode": "forward"}
KINDS = {
    "plain": None,
    "forward": SNAPSHOTS,
    "cache": {**SNAPSHOTS, "mode": "cache"},
    "steps": {**SNAPSHOTS, "unit": "step", "every": 2},
    "ema": {"teacher": "ema", "start_epoch": 1, "ema_decay": 0.9},
}


@pytest.fixture
def spec(inputs, tmp_path):
    """Builds the unit of a short search in a folder of its own."""

    def build(folder, of=inputs, **settings):
        measure = {"every_epochs": 2, "num_images": 8, "calibration_images": 8, "noise_sigmas": (0.1,)}
        quick = {"epochs": EPOCHS, "batch_size": 24, "lr": 0.05, "alpha_lr": 0.05, "measure": measure}
        config = SdDartsConfig.model_validate(quick | settings)
        return SdDartsSpec(name="sd_darts", folder=tmp_path / folder, inputs=of, config=config)

    return build


def comparable(metrics):
    return [{key: value for key, value in one.items() if key not in NOT_COMPARED} for one in metrics]


def interrupt(spec, epochs):
    """Run the unit until so many epochs are told, and leave off."""
    running = run_unit(spec)
    for _ in range(epochs):
        next(running)
    running.close()
    torch.rand(17)


def end(spec):
    """What a finished unit leaves, as far as it may not depend on how it came about."""
    return (spec.folder / "found.json").read_bytes(), comparable(read_done(spec.folder)["history"])


def parts(spec):
    return {path.stem: path.stat() for path in spec.folder.glob("last.parts/*")}


@pytest.mark.parametrize("space", ["inputs", "cell_inputs"])
def test_a_search_leaves_what_it_found(request, spec, space):
    unit = spec("search", request.getfixturevalue(space), self_distillation=SNAPSHOTS)
    assert not unit.is_done
    metrics = list(run_unit(unit))
    assert unit.is_done
    assert [one["epoch"] for one in metrics] == [1, 2, 3, 4]
    assert ["alpha_eigenvalue" in one for one in metrics] == [False, True, False, True]
    found = Found.read(unit.folder)
    assert (found.architecture, found.epoch) == (metrics[-1]["architecture"], EPOCHS)
    cost = unit.inputs.space.cost(found.architecture)
    assert (found.num_params, found.num_macs) == (cost.num_params, cost.num_macs)
    supernet = build_supernet(unit.inputs.space)
    assert found.weights.keys() == supernet.arch_parameters.keys()
    for name, alpha in supernet.arch_parameters.items():
        weight = torch.tensor(found.weights[name])
        torch.testing.assert_close(weight.sum(-1), torch.ones(alpha.shape[:-1]))
        alpha.data = weight.log()
    assert supernet.discretize() == found.architecture
    assert sorted(path.name for path in unit.folder.iterdir()) == ["done.json", "found.json"]
    assert list(run_unit(unit)) == []


def test_a_search_that_is_not_finished_has_found_nothing(spec):
    unit = spec("search")
    interrupt(unit, 1)
    with pytest.raises(FileNotFoundError):
        Found.read(unit.folder)


def test_each_kind_of_space_has_its_supernet(space, cell_space):
    assert isinstance(build_supernet(space), ChainSupernet)
    assert isinstance(build_supernet(cell_space), MixedCellSupernet)


def test_a_spec_survives_being_sent(spec):
    unit = spec("search", self_distillation=KINDS["steps"])
    received = parse_spec(unit.model_dump(mode="json"))
    assert received == unit
    assert received.fingerprint == unit.fingerprint


@pytest.mark.parametrize(
    ("kind", "space", "second_order"),
    [
        *((kind, "inputs", False) for kind in KINDS),
        ("forward", "inputs", True),
        ("ema", "inputs", True),
        ("forward", "cell_inputs", False),
        ("steps", "cell_inputs", True),
    ],
)
def test_an_interrupted_search_ends_like_one_that_was_not(request, spec, kind, space, second_order):
    settings = {"self_distillation": KINDS[kind], "second_order": second_order}
    of = request.getfixturevalue(space)
    whole, parted = spec("whole", of, **settings), spec("parted", of, **settings)
    states = {}
    for unit, stops in ((whole, (EPOCHS,)), (parted, (1, 3, EPOCHS))):
        for epochs in stops:
            interrupt(unit, epochs)
        states[unit.folder] = load_checkpoint(unit.folder / "last.pt")["method"]
        told = comparable(run_unit(unit))
        assert [one["epoch"] for one in told] == [1, 2, 3, 4]
    assert end(whole) == end(parted)
    one, other = states.values()
    assert one["architectures"] == other["architectures"]
    for name, tensor in one["supernet"].items():
        assert torch.equal(tensor, other["supernet"][name]), name
    assert str(one["alpha_optimizer"]) == str(other["alpha_optimizer"])


@pytest.mark.parametrize("dies_at", ["a step", "writing the checkpoint"])
@pytest.mark.parametrize("kind", ["forward", "cache", "steps", "ema"])
def test_a_process_that_dies_anywhere_leaves_what_can_be_gone_on_from(spec, monkeypatch, kind, dies_at):
    unit, whole = (spec(name, self_distillation=KINDS[kind]) for name in ("search", "whole"))
    interrupt(unit, 3)
    name = {"a step": "nasray.trainables.sd_darts.step.SdDarts._weight_step"}.get(
        dies_at, "nasray.trainables.core.trainable.save_checkpoint"
    )
    with monkeypatch.context() as patch:
        patch.setattr(name, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(run_unit(unit))
    told = list(run_unit(unit))
    assert [one.get("replayed", False) for one in told] == [True] * 3 + [False]
    list(run_unit(whole))
    assert end(unit) == end(whole)


def test_a_weight_of_zero_is_plain_darts_to_the_byte(spec):
    none, zero = (spec(str(kind), self_distillation=kind) for kind in (None, {"weight": 0}))
    states = []
    for unit in (none, zero):
        interrupt(unit, EPOCHS)
        states.append(load_checkpoint(unit.folder / "last.pt")["method"]["supernet"])
        list(run_unit(unit))
    assert end(none) == end(zero)
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_arms_of_one_seed_start_alike(spec):
    """The name of the unit and its settings change nothing of an epoch that has no teacher yet."""
    first, second = spec("first", self_distillation=None), spec("second", self_distillation=SNAPSHOTS)
    second = second.model_copy(update={"name": "sd_darts/other"})
    told = [comparable([next(iter(run_unit(unit)))])[0] for unit in (first, second)]
    assert told[0] == told[1]


def test_snapshots_lie_beside_the_checkpoint_and_are_written_once(spec):
    unit = spec("search", self_distillation=SNAPSHOTS)
    written, running = {}, run_unit(unit)
    for epoch, _ in enumerate(running, start=1):
        names = {f"epoch_{e}" for e in range(1, epoch + 1)}
        assert names >= parts(unit).keys() >= {f"epoch_{e}" for e in (epoch - 1, epoch) if e}
        assert len(parts(unit)) <= 2 + 1
        for name, stat in parts(unit).items():
            identity = (stat.st_ino, stat.st_mtime_ns)
            assert written.setdefault(name, identity) == identity
    assert len(written) == EPOCHS
    assert not (unit.folder / "last.parts").exists()


@pytest.mark.parametrize("damage", ["missing", "damaged"])
@pytest.mark.parametrize("kind", ["forward", "cache", "steps"])
def test_a_damaged_snapshot_makes_the_search_begin_anew(spec, kind, damage):
    unit, whole = (spec(name, self_distillation=KINDS[kind]) for name in ("search", "whole"))
    interrupt(unit, 3)
    newest = max(unit.folder.glob("last.parts/*.pt"), key=lambda path: path.stat().st_mtime_ns)
    if damage == "missing":
        newest.unlink()
    else:
        newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    told = list(run_unit(unit))
    assert [one.get("replayed", False) for one in told] == [False] * EPOCHS
    list(run_unit(whole))
    assert end(unit) == end(whole)


def test_snapshots_of_other_settings_are_not_taken_for_ones_own(spec):
    before = spec("search", self_distillation=SNAPSHOTS, lr=0.3)
    interrupt(before, 3)
    unit, whole = (spec(name, self_distillation=SNAPSHOTS) for name in ("search", "whole"))
    for one in (unit, whole):
        list(run_unit(one))
    assert end(unit) == end(whole)


def test_a_search_that_stops_early_is_told_so_and_can_be_replayed(spec, monkeypatch):
    eigenvalues = iter([0.1, 0.1, 0.9])
    monkeypatch.setattr(
        "nasray.trainables.sd_darts.sharpness.measurement.dominant_eigenvalue",
        lambda *_, **__: next(eigenvalues),
    )
    measure = {"num_images": 8, "calibration_images": 8, "noise_sigmas": (0.1,)}
    unit = spec(
        "search",
        measure=measure,
        early_stopping={"window": 1, "lag": 1, "factor": 0.5},
        alpha_lr=0.5,
        epochs=6,
    )
    interrupt(unit, 3)
    told = list(run_unit(unit))
    assert [(one["epoch"], one["num_epochs"]) for one in told] == [(1, 6), (2, 6), (3, 3)]
    found = Found.read(unit.folder)
    assert (found.epoch, found.architecture) == (2, told[1]["architecture"])
    kept = mean_entropy({name: torch.tensor(weight) for name, weight in found.weights.items()})
    assert float(kept) == pytest.approx(told[1]["alpha_entropy"])
    assert told[1]["alpha_entropy"] != told[2]["alpha_entropy"]


def test_found_is_read_as_written(tmp_path):
    (tmp_path / "found.json").write_text(
        json.dumps({"architecture": "a", "epoch": 3, "num_params": 5, "num_macs": 7, "weights": {"x": [1.0]}})
    )
    assert Found.read(tmp_path) == Found("a", 3, 5, 7, {"x": [1.0]})
