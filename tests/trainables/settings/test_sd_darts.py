import math

import pytest
from pydantic import ValidationError

from nasray.trainables.settings.sd_darts import MeasurementConfig, SdDartsConfig, SelfDistillationConfig


def test_the_defaults_are_those_that_are_documented():
    config = SdDartsConfig()
    assert (config.lr, config.lr_min, config.momentum, config.weight_decay) == (0.025, 0.001, 0.9, 3e-4)
    assert (config.alpha_lr, config.alpha_betas, config.alpha_weight_decay) == (3e-4, (0.5, 0.999), 1e-3)
    assert (config.epochs, config.batch_size, config.gradient_clip) == (50, 64, 5.0)
    distillation = config.self_distillation
    assert (distillation.weight, distillation.temperature, distillation.num_snapshots) == (3.0, 3.0, 3)
    assert (distillation.every, distillation.unit, distillation.start_epoch) == (1, "epoch", 3)


def test_teachers_that_weigh_nothing_are_none():
    assert SdDartsConfig(self_distillation=None).teachers is None
    assert SdDartsConfig(self_distillation=SelfDistillationConfig(weight=0)).teachers is None
    assert SdDartsConfig().teachers == SelfDistillationConfig()


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 4},
        {"epochs": 1, "self_distillation": None},
        {"epochs": 1, "self_distillation": {"weight": 0}},
        {"epochs": 1, "self_distillation": {"unit": "step", "every": 5, "start_epoch": 0}},
        {"epochs": 1, "self_distillation": {"teacher": "ema", "start_epoch": 0}},
    ],
)
def test_teachers_need_an_epoch_to_speak_in(settings):
    SdDartsConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.01, "lr_min": 0.02}, r"lr_min must be at most lr, 0\.01, got 0\.02"),
        ({"momentum": 0, "nesterov": True}, "nesterov must go with a momentum greater than 0"),
        ({"alpha_betas": (0.5, 1.0)}, r"alpha_betas must be in \[0, 1\), got \(0\.5, 1\.0\)"),
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"gradient_clip": 0}, "greater than 0"),
        (
            {"self_distillation": {"mode": "cache", "unit": "step"}},
            "unit must be epoch, got step; or set mode: forward",
        ),
        ({"self_distillation": {"mode": "cache", "teacher": "ema"}}, "teacher must be snapshots, got ema"),
        (
            {"self_distillation": {"mode": "cache", "applies_to": "both"}},
            "applies_to must be weights, got both",
        ),
        ({"self_distillation": {"mode": "cache", "norm": "running"}}, "norm must be batch, got running"),
        ({"self_distillation": {"num_snapshots": 0}}, "greater than or equal to 1"),
        ({"self_distillation": {"temperature": 0}}, "greater than 0"),
        ({"self_distillation": {"ema_decay": 1}}, "less than 1"),
        ({"self_distillation": {"ema_decay": 0.9}}, "ema_decay is of teacher: ema, but teacher is snapshots"),
        (
            {"self_distillation": {"teacher": "ema", "num_snapshots": 5}},
            "num_snapshots is of teacher: snapshots, but teacher is ema",
        ),
        ({"early_stopping": {"factor": 1.5}}, "less than 1"),
        (
            {"epochs": 20, "early_stopping": {"window": 1, "lag": 1, "earliest": 19}},
            "earliest must leave measurements .* got 19 of 20 measurements with window 1 and lag 1",
        ),
        ({"epochs": 3}, "start_epoch 3 .* no teacher speaks in the first 3 epochs, of 3; .* plain DARTS"),
        (
            {"epochs": 6, "self_distillation": {"every": 6}},
            "a snapshot every 6 no teacher speaks in the first 6 epochs",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        SdDartsConfig.model_validate(settings)


@pytest.mark.parametrize("sigmas", [(), (0.0, 0.1), (0.2, 0.1), (0.1, 0.1), (-0.1, 0.1), (0.1, math.nan)])
def test_sigmas_must_grow(sigmas):
    with pytest.raises(ValidationError, match="noise_sigmas"):
        MeasurementConfig(noise_sigmas=sigmas)
