import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nasray.trainables.inputs import SearchInputs
from nasray.trainables.teacher.judgement import judge_at_hand
from nasray.trainables.teacher.unit import TeacherResult, TeacherSpec
from nasray.trainables.trials.teacher_trial import try_teacher
from nasray.trainables.units import run_unit

TEACHERS = """
    import torch
    from torch import nn
    from torch.nn import functional as F

    def conv(i, o, s=1):
        return nn.Sequential(nn.Conv2d(i, o, 3, s, 1), nn.BatchNorm2d(o), nn.ReLU())

    class Plain(nn.Module):
        def __init__(self, shape, k):
            super().__init__()
            self.low, self.high, self.fc = conv(shape[0], 4), conv(4, 8, 2), nn.Linear(8, k)

        def features(self, x):
            return self.high(self.low(x)).mean((2, 3))

        def forward(self, x):
            return self.fc(self.features(x))

    plain = Plain

    class Maps(Plain):
        def forward(self, x):
            return super().forward(x)[:, :, None, None]

    def few(shape, k): return Plain(shape, k - 3)
    def many(shape, k): return Plain(shape, 2 * k)

    class Centred(Plain):
        def forward(self, x):
            features = self.features(x)
            return self.fc(features - features.mean(0))

    class CentredMaps(Plain):
        def forward(self, x):
            low = self.low(x)
            return self.fc(self.high(low - low.mean(0)).mean((2, 3)) * 0)

    class Squeezed(Plain):
        def forward(self, x):
            return self.fc(F.adaptive_avg_pool2d(self.high(self.low(x)), 1).squeeze())

    class Random(Plain):
        def forward(self, x):
            return self.fc(F.dropout(self.features(x), 0.5))

    class Hidden(Plain):
        def __init__(self, shape, k):
            super().__init__(shape, k)
            self.mixing = torch.randn(8, 8)

        def forward(self, x):
            return self.fc(self.features(x) @ self.mixing)

    class Uncopied(Plain):
        def __deepcopy__(self, memo):
            raise TypeError("not I")

    class Infinite(Plain):
        def forward(self, x):
            return super().forward(x) / 0

    class Two(Plain):
        def forward(self, x):
            logits = super().forward(x)
            return (logits, logits) if self.training else logits

    class Detached(Plain):
        def forward(self, x):
            return super().forward(x).detach()

    class Tied(Plain):
        def __init__(self, shape, k):
            super().__init__(shape, k)
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
            self.b.weight = self.a.weight
            self.again = self.high

        def features(self, x):
            return self.b(torch.relu(self.a(super().features(x))))
"""


@pytest.fixture
def search(tmp_path, monkeypatch):
    (tmp_path / "tried_teachers.py").write_text(textwrap.dedent(TEACHERS))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tried_teachers", raising=False)

    def inputs(source, **teacher):
        return SearchInputs.model_validate(
            {
                "seed": 0,
                "data": {"num_train_images": 64, "num_held_out_images": 64},
                "teacher": {"source": f"tried_teachers:{source}", "cuts": ("low", "high"), **teacher},
                "search_space": {
                    "source": "declared",
                    "blocks": [
                        {"stride": stride, "operations": ["conv1"], "cells": [{"depth": 1, "width": 8}]}
                        for stride in (1, 2)
                    ],
                },
                "features": {"mode": ["cached"] * 2},
                "compute": {"device": "cpu"},
                "teacher_folder": tmp_path / "teacher",
                "features_root": tmp_path / "features",
            }
        )

    return inputs


TRAIN = {"epochs": 1, "batch_size": 32}


@pytest.mark.parametrize("source", ["Plain", "Tied"])
def test_a_good_teacher_passes(search, source):
    generator = torch.get_rng_state()
    tried = try_teacher(search(source, train=TRAIN))
    assert tried.teacher.feature_shapes == ((1, 8, 8), (4, 8, 8), (8, 4, 4))
    assert str(tried).startswith(f"teacher tried in {tried.seconds:.1f} s: logits, finite outputs,")
    assert "a step of training" in tried.checks
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Maps", r"must give logits \[2, 10\], one for each of 10 classes, got \[2, 10, 1, 1\]: flatten"),
        ("few", r"must give logits \[2, 10\], .* got \[2, 7\]: .* set teacher\.num_classes"),
        ("many", r"must give logits \[2, 10\], .* got \[2, 20\]"),
        ("Centred", "must give the same for an input alone and in a batch in evaluation mode, got other"),
        ("CentredMaps", "must give the same features at cut 'high' for an image alone and in a batch"),
        ("Squeezed", r"must give \[1, 10\] for one input alone, got \[10\]: .* not by squeeze"),
        ("Random", "must give the same twice in evaluation mode, .* give dropout its training"),
        ("Hidden", "must give the same when its weights are saved and loaded .* register all"),
        ("Uncopied", "must be one that copy.deepcopy copies, it failed: TypeError: not I"),
        ("Infinite", "must give finite outputs, got NaN or infinite ones"),
    ],
)
def test_what_later_stages_would_fail_by_is_refused(search, source, message):
    with pytest.raises(ValueError, match=f"teacher tried_teachers:{source} {message}"):
        try_teacher(search(source))


@pytest.mark.parametrize(
    ("source", "teacher", "message"),
    [
        ("Two", {}, "must return one tensor in training mode, got tuple"),
        ("Detached", {}, "must give logits that depend on trainable parameters in training mode"),
        (
            "plain",
            {"num_classes": 3},
            "must tell apart at least the data's 10 classes where it is trained, got 3",
        ),
        (
            "plain",
            {"num_classes": 12, "train": TRAIN | {"mixup": 0.2}},
            "the data's 10 classes where images are mixed",
        ),
        ("plain", {"train": TRAIN | {"lr": 1e30, "optimizer": "sgd"}}, None),
    ],
)
def test_what_cannot_be_trained_is_refused_where_it_will_be(search, source, teacher, message):
    without = {name: value for name, value in teacher.items() if name != "train"}
    try_teacher(search(source, **without))
    if message is None:  # a first step tells nothing of the next ones
        return
    with pytest.raises(ValueError, match=message):
        try_teacher(search(source, **({"train": TRAIN} | teacher)))


def test_batches_of_a_single_image_are_tried(search):
    """A batch norm of vectors cannot take them."""
    inputs = search("plain", train=TRAIN | {"batch_size": 2})
    data = inputs.data.model_copy(update={"num_train_images": 3})
    inputs = inputs.model_copy(update={"data": data})
    try_teacher(inputs)  # whose norms are of maps
    flat = inputs.model_copy(
        update={"teacher": inputs.teacher.model_copy(update={"source": "tried_teachers:Pooled"})}
    )
    module = sys.modules["tried_teachers"]

    class Pooled(module.Plain):
        def __init__(self, shape, num_classes):
            super().__init__(shape, num_classes)
            self.norm = torch.nn.BatchNorm1d(8)

        def features(self, images):
            return self.norm(super().features(images))

    module.Pooled = Pooled
    with pytest.raises(
        ValueError, match=r"must run on \[1, 1, 8, 8\] in training mode, it failed: .* more than 1"
    ):
        try_teacher(flat)


def test_the_whole_alone_can_be_tried(search):
    tried = try_teacher(search("plain", cuts="auto"), cuts=False)
    assert tried.teacher is None
    assert "features" not in tried.checks


def test_weights_under_two_names_are_kept(search):
    inputs = search("Tied", train=TRAIN)
    list(run_unit(TeacherSpec.of(inputs)))
    teacher = TeacherResult.read(inputs.teacher_folder).load(inputs)
    num_params = sum(parameter.numel() for parameter in teacher.parameters())
    assert num_params == TeacherResult.read(inputs.teacher_folder).num_params


def checkpoint(inputs, folder: Path, *, trained: bool) -> dict[str, str]:
    from nasray.trainables.teacher.teacher import build_teacher

    torch.manual_seed(0)
    model = build_teacher(inputs.teacher, inputs.space)
    if trained:
        images, labels = inputs.images.train.images(range(64)), inputs.images.train.labels(range(64))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(60):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    path = folder / "teacher.safetensors"
    save_file(model.state_dict(), path)
    return {"weights": str(path)}


@pytest.mark.parametrize("trained", [True, False])
def test_a_checkpoint_that_is_right_by_chance_is_refused(search, tmp_path, caplog, trained):
    inputs = search("plain", **checkpoint(search("plain"), tmp_path, trained=trained))
    model = try_teacher(inputs).model
    if trained:
        judge_at_hand(inputs, model)
        assert not caplog.records
        return
    message = r"trained classifier .* right on \d+ of 64 held-out images, no more often than by chance"
    with pytest.raises(ValueError, match=message):
        judge_at_hand(inputs, model)
    with pytest.raises(ValueError, match=message):
        list(run_unit(TeacherSpec.of(inputs)))
    allowed = inputs.teacher.model_copy(update={"allow_chance": True})
    judge_at_hand(inputs.model_copy(update={"teacher": allowed}), model)
    assert "no more often than by chance" in caplog.records[-1].getMessage()


def test_an_untrained_teacher_is_named_but_not_refused(search, caplog):
    list(run_unit(TeacherSpec.of(search("plain"))))
    assert "no more often than by chance" in caplog.text
