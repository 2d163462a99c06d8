import sqlite3
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from nasray.errors import UserError
from nasray.execution.trial_tracking import TrackTrials
from nasray.experiment import search
from nasray.planning.plan import plan_search, rating_tables
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config
from nasray.tracking.mlflow_place import check_place, create_database, is_away, shown_uri
from nasray.tracking.tracker import Tracker, tracking_uri
from nasray.trainables.core.trainable import mark_done
from nasray.trainables.units import parse_spec

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def started(tiny):
    """A tracker, as a launch starts it, and a trial of its search."""
    config = load_config(tiny())
    folder = RunFolder.of(config)
    config, inputs = resolve(config, folder)
    plan = plan_search(config, folder, inputs)
    folder.claim(config, inputs, rating_tables(config, folder, inputs))
    unit = plan["ratings"][0]
    trial = SimpleNamespace(config={"name": unit.name, "spec": unit.spec.model_dump(mode="json")})
    return config, folder, trial


def following(tracker):
    """What logs the events of that trial with a tracker."""
    return TrackTrials({"block_0/2x8": tracker})


def runs_of(config):
    client = MlflowClient(tracking_uri(config))
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    return client, client.search_runs([experiment.experiment_id])


def epoch(number):
    return {"epoch": number, "num_epochs": 3, "train_loss": 1.0 / number, "seconds": 0.5, "time_total_s": 7.0}


def test_a_driver_that_died_leaves_no_duplicates(started):
    """The second launch goes on in the same run, and replayed epochs are not logged twice."""
    config, folder, trial = started
    first = following(Tracker(config, folder))
    first.on_trial_start(0, [], trial)
    for number in (1, 2):
        first.on_trial_result(0, [], trial, epoch(number))
    second = following(Tracker(config, folder))
    second.on_trial_start(0, [], trial)
    for number in (1, 2, 3):
        second.on_trial_result(0, [], trial, epoch(number))
    second.on_trial_complete(0, [], trial)
    client, runs = runs_of(config)
    assert len(runs) == 1
    history = client.get_metric_history(runs[0].info.run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in history] == [
        (1, 1.0),
        (2, 0.5),
        (3, pytest.approx(1 / 3)),
    ]
    assert runs[0].info.status == "FINISHED"
    assert set(runs[0].data.metrics) == {"train_loss", "seconds"}


@pytest.mark.parametrize("driver_dies", [False, True])
def test_figures_without_an_epoch_stand_at_the_last_one(started, driver_dies):
    config, folder, trial = started
    spec = parse_spec(trial.config["spec"])
    tracking = following(Tracker(config, folder))
    tracking.on_trial_start(0, [], trial)
    tracking.on_trial_result(0, [], trial, epoch(1))
    if driver_dies:
        for path in spec.outputs:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        mark_done(spec.folder, spec.fingerprint, [epoch(1), epoch(2), {"test_accuracy": 0.5}])
        Tracker(config, folder).catch_up([spec])
    else:
        for result in (epoch(2), {"test_accuracy": 0.5, "time_total_s": 7.0}):
            tracking.on_trial_result(0, [], trial, result)
    client, (run,) = runs_of(config)
    curves = {
        name: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    assert curves["test_accuracy"] == [(2, 0.5)]
    assert curves["train_loss"] == [(1, 1.0), (2, 0.5)]
    assert curves.keys() == {"test_accuracy", "train_loss", "seconds"}


def test_catching_up_leaves_open_what_is_not_done(started):
    """A unit that was interrupted, and that this launch does not need, is not told as finished."""
    config, folder, trial = started
    first = Tracker(config, folder)
    following(first).on_trial_start(0, [], trial)
    spec = parse_spec(trial.config["spec"])
    Tracker(config, folder).catch_up([spec])
    assert runs_of(config)[1][0].info.status == "RUNNING"
    for path in spec.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    mark_done(spec.folder, spec.fingerprint, [epoch(1), epoch(2)])
    Tracker(config, folder).catch_up([spec])
    client, runs = runs_of(config)
    assert runs[0].info.status == "FINISHED"
    assert len(client.get_metric_history(runs[0].info.run_id, "train_loss")) == 2


def test_a_launch_logs_what_mlflow_never_heard_of(started):
    """Its server was away, or its database is lost."""
    config, folder, trial = started
    spec = parse_spec(trial.config["spec"])
    for path in spec.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    mark_done(spec.folder, spec.fingerprint, [epoch(1), epoch(2)], spec.outputs)
    for _ in range(2):
        Tracker(config, folder).catch_up([spec])
    client, (run,) = runs_of(config)
    assert run.info.status == "FINISHED"
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 2


def test_a_database_is_made_whole_or_not_at_all(tmp_path):
    path = tmp_path / "mlflow.db"
    create_database(f"sqlite:///{path}")
    assert list(tmp_path.iterdir()) == [path]
    before = path.stat().st_mtime_ns
    create_database(f"sqlite:///{path}")
    assert path.stat().st_mtime_ns == before
    assert MlflowClient(f"sqlite:///{path}").search_experiments()[0].name == "Default"
    create_database("http://127.0.0.1:9")


def test_nothing_waits_for_a_server_that_is_away(started, caplog, monkeypatch):
    """Nothing listens at port 9, and whoever asks learns that at once."""
    config, folder, trial = started
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    tracker = Tracker(config, folder)
    tracking = following(tracker)
    tracking.on_trial_start(0, [], trial)
    for number in (1, 2):
        tracking.on_trial_result(0, [], trial, epoch(number))
    tracking.on_trial_complete(0, [], trial)
    tracker.log_result({}, [])
    assert "MLflow at http://127.0.0.1:9 does not answer" in caplog.messages[0]
    assert "4 entries are missing there" in caplog.messages[1]
    assert "secret" not in caplog.text


@contextmanager
def server_that_says(status):
    """The URI, with a password, of a server that answers all requests with a status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *said):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://me:secret@127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "set MLFLOW_TRACKING_USERNAME"), (403, "set MLFLOW_TRACKING_USERNAME"), (404, "correct it")],
)
def test_a_server_that_refuses_is_told_before_anything_runs(started, monkeypatch, status, remedy):
    config, folder, _ = started
    with server_that_says(status) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(ValueError, match=remedy) as raised:
            Tracker(config, folder)
    assert f"got {shown_uri(uri)}, which fails" in str(raised.value)
    assert f"error code {status}" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_server_that_fails_by_its_own_fault_is_no_mistake():
    with server_that_says(503) as uri:
        check_place(uri)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("foo://me:secret@bar", "got foo://bar, which fails"),
        ("file:///tmp/mlruns", "got file:///tmp/mlruns, which fails"),
        ("mlruns", "got mlruns, which fails"),
        ("postgresql+nodriver://me:secret@host/db", "got postgresql+nodriver://host/db, which fails"),
        ("postgresql://me:secret@host:port/db", "got postgresql://host:port/db, which fails"),
        ("mysql+aiomysql://me:secret@host/db", "install that module"),
        ("http://a b", "correct it, for example to http://host:5000"),
        (f"sqlite:///{__file__}", "file is not a database"),
    ],
)
def test_an_address_that_cannot_be_is_told_without_its_password(uri, told, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ValueError, match=r"tracking\.uri, or MLFLOW_TRACKING_URI, must be") as raised:
        check_place(uri)
    assert told in str(raised.value)
    assert "secret" not in str(raised.value)


def test_credentials_that_expire_end_no_search(started, monkeypatch, caplog):
    config, folder, trial = started
    with server_that_says(401) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setattr(
            "nasray.tracking.tracker.check_place", lambda uri: None
        )  # it was let in when it started
        tracking = following(Tracker(config, folder))
        tracking.on_trial_start(0, [], trial)
        tracking.on_trial_complete(0, [], trial)
    (said,) = caplog.messages
    assert said.startswith(f"MLflow at {shown_uri(uri)} refuses what is to be logged (")
    assert "secret" not in said


def test_a_failure_is_told_with_its_reason(started):
    config, folder, trial = started
    tracking = following(Tracker(config, folder))
    tracking.on_trial_start(0, [], trial)
    tracking.on_trial_result(0, [], trial, {"failure": "train_loss must stay finite"})
    tracking.on_trial_complete(0, [], trial)
    _, runs = runs_of(config)
    assert runs[0].info.status == "FAILED"
    assert runs[0].data.tags["failure"] == "train_loss must stay finite"


def test_a_search_has_a_run_for_its_result_and_one_per_trial(tiny, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = search(tiny())
    config = load_config(tiny())
    client, runs = runs_of(config)
    by_unit = {run.data.tags["unit"]: run for run in runs}
    assert {unit.partition("/")[0] for unit in by_unit} == {"result", "teacher", "block_0", "block_1"}
    assert set(by_unit) > {"teacher", "block_0/2x8", "block_0/1x12", "block_1/2x16"}
    for run in runs:
        assert run.info.status == "FINISHED"
        tags = {"study", "method", "space", "data", "unit", "kind", "commit"}
        assert tags <= run.data.tags.keys()
    block = by_unit["block_1/2x16"]
    assert block.data.params["block"] == "1"
    assert block.data.params["lr"] == "0.005"
    curve = client.get_metric_history(block.info.run_id, "held_out_relative_l1")
    assert [metric.step for metric in curve] == [1, 2, 3]
    (main,) = [run for run in runs if run.data.tags["kind"] == "result"]
    assert main.data.metrics["num_architectures"] == result.num_architectures
    files = {file.path for file in client.list_artifacts(main.info.run_id)}
    assert {"config.yaml", "environment.json", "ranking.parquet", "ranking.json", "ratings"} <= files
    search(tiny())
    assert len(runs_of(config)[1]) == len(runs)


def test_the_environment_names_the_server(tiny, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_uri(load_config(tiny())) == "http://127.0.0.1:5000"
    assert tracking_uri(load_config(tiny(tracking={"uri": "sqlite:///x.db"}))) == "sqlite:///x.db"


@pytest.mark.parametrize("name", ["bob's", "a b", "p%20x", "q?x", "a#b", "{a}"])
def test_a_folder_of_any_name_is_logged_once(tiny, tmp_path, name):
    storage = tiny()["storage"]
    config = load_config(tiny(storage={"root": f"{storage['root']}/{name}"}))
    folder = RunFolder.of(config)
    for _ in range(2):
        tracker = Tracker(config, folder)
        tracker.close_run(tracker.open_run("unit", {}, {}))
    _, runs = runs_of(config)
    assert [run.data.tags["run_folder"] for run in runs] == [str(folder.path)]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [name]  # and nothing beside it
    assert (tmp_path / "runs" / name / "mlflow.db").is_file()


def test_a_database_of_an_older_version_is_told_with_its_remedy(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    create_database(uri)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(UserError, match=r"found version 451aebb31d03") as raised:
        check_place(uri)
    assert f"run `mlflow db upgrade {uri}`" in str(raised.value)


def test_a_database_that_is_locked_or_full_is_no_mistake(tmp_path):
    path = tmp_path / "mlflow.db"
    create_database(f"sqlite:///{path}")
    for said in ("database is locked", "database or disk is full", "could not connect to server"):
        assert is_away(OperationalError("SELECT 1", None, sqlite3.OperationalError(said)))
    for said in ("attempt to write a readonly database", "FATAL: password authentication failed for user"):
        assert not is_away(OperationalError("SELECT 1", None, sqlite3.OperationalError(said)))


def test_a_disk_that_is_full_is_said_in_a_line(started, caplog, monkeypatch):
    """SQLite grows no database beyond its largest number of pages, and says that the disk is full."""
    config, folder, trial = started
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = Tracker(config, folder)

    def fill(connection, record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "connect", fill)
    try:
        tracking = following(tracker)
        tracking.on_trial_start(0, [], trial)
        for number in range(1, 200):
            tracking.on_trial_result(0, [], trial, epoch(number))
    finally:
        event.remove(Engine, "connect", fill)
    (said,) = caplog.messages
    assert "refuses what is to be logged" in said
    assert "disk is full" in said
