import asyncio
import base64
import json
import os
import re
import signal
import socket
import sys
import time
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest

from nasray.cli import main
from nasray.tracking.mlflow_app import OwnOrigin

OWN = "127.0.0.1:5000"
CREATE = "/ajax-api/2.0/mlflow/experiments/create"
installed = pytest.mark.skipif(
    find_spec("flask_wtf") is None or not entry_points(group="mlflow.app", name="nasray"),
    reason="what nasray gives to MLflow, or its extra `login`, is not installed: make install",
)


def answer(kind="http", **headers):
    """What a request is answered: by the application, "let in", or before it."""
    told = []

    async def app(scope, receive, send):
        told.append("let in")

    async def send(message):
        told.append(message.get("status", message["type"]))

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(OwnOrigin(app)({"type": kind, "headers": named}, None, send))
    return told[0]


@pytest.mark.parametrize("path", ["/", "/graphql"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{OWN}"},
        {"origin": f"https://{OWN}"},
        {"origin": f"http://{OWN}", "sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    ],
)
def test_own_pages_and_what_is_no_browser_are_let_in(headers, path):
    assert answer(host=OWN, **headers) == "let in"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "http://localhost:5000"},
        {"origin": f"http://{OWN}.evil.example"},
        {"origin": "http://127.0.0.1:8000", "sec_fetch_site": "same-site", "sec_fetch_mode": "navigate"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_pages_of_other_servers_are_not(headers):
    assert answer(host=OWN, **headers) == 403
    assert answer("websocket", host=OWN, **headers) == "websocket.close"


def test_a_login_that_cannot_be_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nasray.tracking.mlflow_ui.find_spec", lambda name: None)
    assert main(["ui", f"storage.root={tmp_path}", "--login"]) == 2
    assert "pip install 'nasray[login]'" in capsys.readouterr().err


@contextmanager
def running_ui(folder, *options):
    """The UI on a port, when it answers, with what it has said."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "nasray.cli",
        "ui",
        f"storage.root={folder}",
        "--port",
        str(port),
        *options,
    ]
    log = folder / "log"
    with log.open("w") as file:
        process = psutil.Popen(
            command, stdout=file, stderr=file, cwd=folder, env={**os.environ, "COLUMNS": "300"}
        )
    try:
        while status(f"http://127.0.0.1:{port}/health") != 200:
            assert process.poll() is None, log.read_text()
            time.sleep(1)
        yield process, f"http://127.0.0.1:{port}", log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def status(url, user="", **headers):
    """The status that a server answers, 0 where there is none."""
    data = json.dumps({"name": "experiment"}).encode() if url.endswith(CREATE) else None
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if user:
        named["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    try:
        return urlopen(Request(url, data, {"Content-Type": "application/json", **named}), timeout=60).status
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return 0


@installed
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_only_who_has_the_password_gets_in_and_only_from_own_pages(tmp_path):
    with running_ui(tmp_path, "--login") as (process, url, told):
        password = re.search(r"only who logs in as admin with the password (\S+) gets in", told)[1]
        user = f"admin:{password}"
        assert status(url) == status(url + CREATE) == status(url + CREATE, "admin:password") == 401
        assert status(url + CREATE, user, origin="http://127.0.0.1:8000") == 403
        assert status(url + "/graphql", user, origin="http://127.0.0.1:8000") == 403
        assert status(url, user, host="evil.example") == 403
        assert status(url + CREATE, user, origin=url) == 200
        processes = [process, *process.children(recursive=True)]
        assert [entry for entry in processes if password in " ".join(entry.cmdline())] == []
        (users,) = {
            entry.environ()["MLFLOW_AUTH_CONFIG_PATH"]
            for entry in processes
            if "MLFLOW_AUTH_CONFIG_PATH" in entry.environ()
        }
        assert Path(users).parent.stat().st_mode & 0o777 == 0o700
    assert not Path(users).parent.exists()


@installed
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_login_it_is_said_who_gets_in(tmp_path):
    with running_ui(tmp_path) as (_, url, told):
        assert "every account of this machine can read, change and delete all runs" in told
        assert status(url + CREATE, origin="http://127.0.0.1:8000") == 403
        assert status(url + CREATE, origin=url) == 200
