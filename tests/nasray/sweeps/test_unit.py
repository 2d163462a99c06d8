import pytest

from nasray.evidence.plan import retrain_specs
from nasray.inputs.shared import unit_inputs
from nasray.planning.plan import plan_search
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.settings.sweeps import Domain, SweepConfig
from nasray.sweeps.unit import SweepFolder, SweptUnit

BLOCK = "block_1/2x16"
ARCHITECTURE = "1x12:mb3k3/2x16:sep3,mb3k3"


@pytest.fixture
def swept_in(tiny):
    """A function: the swept unit of that name in the tiny search with changes."""

    def build(name, **changes):
        requested = load_config(tiny(**changes))
        folder = RunFolder.of(requested)
        resolved, inputs = resolve(requested, folder)
        return SweptUnit(name, resolved, folder, inputs)

    return build


@pytest.fixture
def swept(swept_in):
    """A function: the swept unit of that name in the tiny search."""
    return swept_in


def domains(**ranges):
    return {key.replace("__", "."): Domain.model_validate(value) for key, value in ranges.items()}


def test_a_trials_unit_is_the_searchs_under_the_overrides(swept):
    """Another search with these settings would do the same, but for where its files lie."""
    unit = swept(BLOCK)
    overrides = ["searches.0.lr=0.02", "searches.0.epochs=7"]
    trial = SweepFolder.of(unit.folder).trial(3)
    spec = unit.spec(overrides, trial)
    config = load_config(unit.config.model_dump(mode="json"), overrides)
    units = plan_search(config, unit.folder, unit_inputs(config, unit.folder))["ratings"]
    (same,) = [found.spec for found in units if found.name == BLOCK]
    assert spec.fingerprint == same.fingerprint
    assert (spec.target.config.lr, spec.target.config.epochs) == (0.02, 7)
    assert spec.folder == spec.target.folder == trial.unit(BLOCK)
    assert spec.target.table == trial.table(1, "2x16")
    assert spec.inputs.teacher_folder == unit.folder.teacher


def test_a_swept_teacher_leaves_the_runs_alone(swept):
    unit = swept("teacher")
    trial = SweepFolder.of(unit.folder).trial(0)
    spec = unit.spec(["teacher.train.lr=0.1"], trial)
    assert spec.folder == spec.inputs.teacher_folder == trial.teacher
    assert all(trial.path in path.parents for path in spec.outputs)


def test_what_a_unit_needs_is_found_to_its_beginning(swept):
    names = {unit.name for unit in swept(BLOCK).needed()}
    assert {"teacher", "features/train", "features/train/0", "features/held_out"} <= names
    assert not any(name.startswith("block") for name in names)
    assert swept("teacher").needed() == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "block_1/2x61",
            r"must be a unit that trains, of teacher, block_0/2x8.* did you mean 'block_1/2x16'\?",
        ),
        ("features/train", "must be a unit that trains, of teacher.* got features/train"),
    ],
)
def test_a_unit_that_is_not_there_or_does_not_train_is_told(swept, name, message):
    with pytest.raises(ValueError, match=message):
        swept(name).needed()


@pytest.mark.parametrize(
    ("name", "ranges", "message"),
    [
        (
            BLOCK,
            {"searches__0__epohcs": {"low": 1, "high": 2}},
            r"with searches\.0\.epohcs=1, .*did you mean epochs\?",
        ),
        (BLOCK, {"searches__1__lr": {"low": 1, "high": 2}}, r"position from 0 to 0 in the list, got '1'"),
        (
            BLOCK,
            {"searches__0__epochs": {"low": 0, "high": 9}},
            r"epochs=0, .*greater than or equal to 1, got 0",
        ),
        (BLOCK, {"searches__0__epochs": {"low": 1, "high": 2.5}}, r"epochs=2\.5, .*valid integer, got 2\.5"),
        (BLOCK, {"searches__0__paths": {"choices": ["fair", "best"]}}, r'paths="best", .*got \'best\''),
        (BLOCK, {"seed": {"low": 0, "high": 9}}, r"leave alone what block_1/2x16 needs, but seed=9 changes "),
        (
            BLOCK,
            {"teacher__train__lr": {"low": 0.1, "high": 1}},
            r"teacher\.train\.lr=0\.1 changes .*: take ",
        ),
        (
            BLOCK,
            {"ranking__top": {"low": 1, "high": 9}},
            r"ranking\.top makes no difference to it: take it out",
        ),
        (
            "teacher",
            {"searches__0__lr": {"low": 0.1, "high": 1}},
            r"change what teacher does, but searches\.0\.lr",
        ),
    ],
)
def test_a_domain_that_does_not_fit_is_told(swept, name, ranges, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        swept(name).variants(domains(**ranges))


def test_a_swept_teachers_data_and_seed_may_vary(swept):
    ranges = domains(seed={"low": 0, "high": 9}, data__num_train_images={"choices": [128, 256]})
    assert [unit.spec.inputs.seed for unit in swept("teacher").variants(ranges)] == [0, 9, 0, 0]


def test_a_swept_training_is_the_evidences_under_the_overrides(swept_in):
    unit = swept_in(f"retrain/{ARCHITECTURE}", retrain={"training_seeds": [3, 4]})
    trial = SweepFolder.of(unit.folder).trial(0)
    spec = unit.spec(["retrain.train.lr=0.02"], trial)
    config = load_config(unit.config.model_dump(mode="json"), ["retrain.train.lr=0.02"])
    same = retrain_specs(config.retrain, config, unit.folder, unit.inputs, ARCHITECTURE)[0]
    assert spec.fingerprint == same.fingerprint
    assert (spec.architecture, spec.training_seed, spec.config.train.lr) == (ARCHITECTURE, 3, 0.02)
    assert all(trial.path in path.parents for path in (spec.folder, *spec.outputs))
    assert unit.needed() == []
    assert len(unit.variants(domains(retrain__train__lr={"low": 0.01, "high": 0.1}))) == 2
    with pytest.raises(ValueError, match=r"retrain\.top makes no difference"):
        unit.variants(domains(retrain__top={"low": 1, "high": 2}))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"distillation": {}}, {"teacher"}),
        (
            {"init": "inherited"},
            {"teacher", "block_0/1x12", BLOCK, *(f"features/{part}" for part in ("train", "held_out"))},
        ),
    ],
)
def test_a_swept_training_needs_what_it_takes_from_the_search(swept_in, settings, expected):
    needed = {unit.name for unit in swept_in(f"retrain/{ARCHITECTURE}", retrain=settings).needed()}
    assert {name for name in needed if name.count("/") < 2} == expected


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (ARCHITECTURE, {"retrain": None}, "only where the config has a section retrain"),
        ("1x99:mb3k3/2x16:sep3,sep3", {"retrain": {}}, r"name an architecture of the space .*block 0"),
        ("best", {"retrain": {}}, r"name an architecture of the space .*written like"),
    ],
)
def test_a_training_that_cannot_be_is_told(swept_in, name, changes, message):
    with pytest.raises(ValueError, match=message):
        swept_in(f"retrain/{name}", **changes).needed()


SD_DARTS = {"method": "sd_darts", "epochs": 9}
TAUGHT = {"distillation": {"logits": 1.0, "features": 0.0}}


@pytest.mark.parametrize(
    ("name", "changes", "objective", "settings", "message"),
    [
        (
            BLOCK,
            {},
            "held_out_relative_l2",
            {},
            r"train_loss, got \w+; did you mean 'held_out_relative_l1'\?",
        ),
        (
            "teacher",
            {"teacher": {"source": "largest"}},
            "train_loss",
            {},
            "reports, held_out_accuracy, got train_loss",
        ),
        (
            "teacher",
            {"teacher": {"source": "largest", "num_classes": 7}},
            "held_out_accuracy",
            {},
            "reports, none, got held_out_accuracy",
        ),
        (
            f"retrain/{ARCHITECTURE}",
            {"retrain": TAUGHT},
            "feature_distance",
            {"domains": {"retrain.distillation.temperature": {"low": 1, "high": 4}}},
            "logit_distance, .*got feature_distance",
        ),
        (
            f"retrain/{ARCHITECTURE}",
            {"retrain": TAUGHT},
            "feature_distance",  # which one end of the domain has
            {"domains": {"retrain.distillation.features": {"low": 0.0, "high": 1.0}}},
            "got feature_distance",
        ),
        (
            "sd_darts",
            {"searches": [SD_DARTS | {"alpha_start_epoch": 2}], "teacher": None},
            "val_loss",
            {"scheduler": "asha", "domains": {"searches.0.lr": {"low": 0.01, "high": 0.1}}},
            "reports, with asha after every epoch, .*got val_loss; did you mean",
        ),
    ],
)
def test_an_objective_that_is_not_reported_is_told_before_anything_runs(
    swept_in, name, changes, objective, settings, message
):
    key, low, high = ("seed", 0, 9) if name == "teacher" else ("searches.0.lr", 0.01, 0.1)
    given = {"unit": name, "objectives": {objective: "min"}, "domains": {key: {"low": low, "high": high}}}
    with pytest.raises(ValueError, match=message):
        swept_in(name, **changes).planned(SweepConfig.model_validate(given | settings))
