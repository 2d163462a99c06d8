import os
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import ray
import yaml
from ray.exceptions import AuthenticationError

from nasray.cli import entry, main
from nasray.cluster.cluster import ray_cluster
from nasray.settings.resources import ResourcesConfig

pytestmark = pytest.mark.timeout(600)
LAUNCH = Path(__file__).parents[3] / "nasray" / "launch.py"


@pytest.fixture
def config_file(tiny, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny(resources={})))
    return str(path)


def run(*arguments, cwd):
    environment = os.environ | {"RAY_ADDRESS": "local", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_goes_from_the_config_to_the_ranking(config_file, tmp_path):
    """As `ray submit` runs it: copied alone to another folder."""
    script = tmp_path / "home" / "launch.py"
    script.parent.mkdir()
    script.write_bytes(LAUNCH.read_bytes())
    done = run(script, config_file, "resources.address=local", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "block_1/2x16" in done.stdout
    assert "Best 10 of 54 ranked" in done.stdout
    assert "Proved: no other of the 54 architectures within the budgets is better" in done.stdout
    assert f"Run folder: {Path('runs') / 'tiny'}" in done.stdout
    assert done.stderr == ""
    ranked = run(
        "-m", "nasray.cli", "rank", "runs/tiny", "--max-macs", "30e3", "--output", "r.csv", cwd=tmp_path
    )
    assert ranked.returncode == 0, ranked.stderr
    table = pd.read_csv(tmp_path / "r.csv")
    assert 0 < len(table) < 54
    assert table["num_macs"].max() <= 30e3


def stopped_search(arguments, signal_sent, cwd):
    """Stop a search by a signal in the middle of a cell's training; returns its exit code and what it said."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job, as which these tests may run, ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread runs here
    ) as search:
        while search.poll() is None and not any(cwd.glob("runs/tiny/units/block_*/*/last.pt")):
            time.sleep(0.05)
        search.send_signal(signal_sent)
        _, told = search.communicate(timeout=120)
    return search.returncode, told


INTERRUPTED = "nasray: interrupted; the same command goes on from here\n"


@pytest.fixture
def long_search(config_file):
    """The arguments of a search that lasts long enough to be stopped."""
    return [
        "-m",
        "nasray.cli",
        "search",
        config_file,
        "resources.address=local",
        "searches.0.epochs=60",
    ]


def test_an_interrupted_search_ranks_nothing_and_goes_on(long_search, tmp_path):
    """Ctrl-C: no ranking of what there is; the same command ends the search."""
    folder = tmp_path / "runs" / "tiny"
    assert stopped_search(long_search, signal.SIGINT, tmp_path) == (130, INTERRUPTED)
    assert not (folder / "ranking.parquet").exists()
    assert main(["rank", str(folder)]) == 2
    assert run(*long_search, cwd=tmp_path).returncode == 0
    assert (folder / "ranking.parquet").exists()


def test_sigterm_ends_a_search_as_ctrl_c_does(long_search, tmp_path):
    """Without the C++ stack that Ray's own handler would print."""
    assert stopped_search(long_search, signal.SIGTERM, tmp_path) == (143, INTERRUPTED)
    assert not (tmp_path / "runs" / "tiny" / "ranking.parquet").exists()


def test_rank_needs_neither_ray_nor_torch():
    code = (
        "import nasray.analysis.runs.rank, nasray.views.ranking, nasray.cli, sys;"
        "print({'ray', 'torch', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_dry_run_tells_and_leaves_nothing(config_file, tmp_path, capsys):
    assert main(["search", config_file, "--dry-run"]) == 0
    told = capsys.readouterr().out
    for part in (
        "54 architectures",
        "256 training, 64 held-out",
        "block_1/2x16  after features/train",
        "1 CPU each",
    ):
        assert part in told
    assert not (tmp_path / "runs" / "tiny").exists()


def test_a_dry_run_tells_what_the_plan_of_units_does_not_show(config_file, capsys):
    changes = ["retrain.top=2", "retrain.sample=3", "retrain.train.epochs=7", "retrain.training_seeds=[0, 1]"]
    assert main(["search", config_file, "--dry-run", *changes, "budgets.latency_ms=3"]) == 0
    output = capsys.readouterr().out
    assert "for the evidence, up to 5 networks are trained for 7 epochs, with each of 2 seeds" in output
    assert "the ranking has to wait: budgets.latency_ms needs a measurement" in output
    assert main(["search", config_file, "--dry-run", "retrain=null"]) == 0
    output = capsys.readouterr().out
    assert "evidence" not in output
    assert "wait" not in output


def test_the_papers_setting_dry_runs_without_its_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["search", "imagenet_dna", "--dry-run", "resources.gpus_per_unit=0"]) == 0
    told = capsys.readouterr().out
    assert "195,898,498,887,057,408 architectures" in told
    assert (
        "1,271,167 training, 10,000 held-out, 50,000 test images (files not found: published sizes)" in told
    )
    assert "224x14x14 -> 384x7x7" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "no_such_config"], "CONFIG must be a file or one of the shipped"),
        (["search", "digits", "searches.0.epohcs=3"], "did you mean epochs?"),
        (["search", "digits", "--stages", "teacher,all"], "stages must be of teacher"),
        (["search", "imagenet_dna"], "/data/imagenet/train/<class>/*.JPEG"),
        (["search", "digits", "data.source=cifar10"], "data.root must be the folder of cifar10"),
        (["search", "digits", "search_space.source=digit"], "did you mean 'digits'?"),
        (["search", "digits", "teacher.source=resnet81"], "got 'resnet81'"),
        (
            ["search", "digits", "teacher.cuts=[blocks.0]"],
            "must name one submodule for each of the 3 blocks, got 1",
        ),
        (["search", "digits", "teacher.weights=none.pt"], "/none.pt"),
        (["search", "digits", "searches.0.lr=[1.0]"], "one for each of the 3 blocks, got 1"),
        (["search", "digits", "--dry-run", "seed"], "form a.b=value, got 'seed'"),
        (["rank", "nowhere"], "RUN must be the folder of a run"),
        (["inspect", "space", "digits", "search_space.source=nowhere:space"], "nowhere"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert message in told.err.replace("\n", " ")
    assert "Traceback" not in told.err
    assert not [path for path in tmp_path.rglob("*") if path.name == "config.yaml"]


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"nasray {version('nasray')}\n"


@pytest.fixture
def no_ray(monkeypatch):
    """As in a process of its own: the one that other tests started is not seen."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_cluster_that_is_gone_is_told_at_once(config_file, by_environment, monkeypatch, capsys):
    """Nothing listens at port 9."""
    address = [] if by_environment else ["resources.address=127.0.0.1:9"]
    if by_environment:
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    start = time.monotonic()
    assert main(["search", config_file, *address]) == 2
    assert time.monotonic() - start < 60
    told = capsys.readouterr().err
    assert "must be that of a running Ray cluster, got 127.0.0.1:9: nothing answers at" in told
    assert "Traceback" not in told


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:port", "127.0.0.1:99999"])
def test_what_is_no_address_of_a_cluster_is_told(address):
    with pytest.raises(ValueError, match=f"must be that of a running Ray cluster, got {address}: "):
        ray_cluster(ResourcesConfig(address=address)).__enter__()


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    "error", [AuthenticationError("no token"), RuntimeError("no token"), ConnectionError("no token")]
)
def test_a_cluster_that_lets_nobody_in_is_told(error, monkeypatch):
    def refuse(**how):
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    with socket.create_server(("", 0)) as server:  # Ray asks at the address by which others see this machine
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ValueError, match=f"got {address}: .*no token.*; start the cluster, or set"):
            ray_cluster(ResourcesConfig()).__enter__()


@pytest.mark.usefixtures("no_ray")
def test_rays_client_is_refused(config_file, capsys):
    assert main(["search", config_file, "resources.address=ray://127.0.0.1:10001"]) == 2
    assert "got ray://127.0.0.1:10001, for Ray's client" in capsys.readouterr().err.replace("\n", " ")


def test_a_url_with_a_secret_is_refused_as_run(tmp_path, monkeypatch, capsys):
    """Else it would stand in the staging folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    url = "abfs://runs@account.dfs.core.windows.net/digits?tenant_id=a&client_id=b&client_secret=hidden"
    assert main(["rank", url]) == 2
    told = capsys.readouterr().err
    assert "RUN must have no options but" in told
    assert "hidden" not in told
    assert not list(tmp_path.iterdir())


def test_inspect_teacher_proposes_cuts(capsys):
    assert (
        main(["inspect", "teacher", "imagenet_dna", "teacher.source=mobilenet_v3_small", "teacher.cuts=auto"])
        == 0
    )
    told = capsys.readouterr().out
    assert "* proposed, the last before the size changes: teacher.cuts: [features." in told


def test_inspect_space_tells_counts_and_costs(capsys):
    assert main(["inspect", "space", "digits"]) == 0
    told = capsys.readouterr().out
    assert "23,868 architectures" in told
    assert "3x40" in told


def test_a_misspelt_command_gets_a_suggestion(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serach"])
    assert ended.value.code == 2
    assert "got 'serach'; did you mean 'search'?" in capsys.readouterr().err


def test_a_fault_of_nasray_is_called_one_and_leaves_its_traceback(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setitem(entry._COMMANDS, "ui", lambda parsed: {}["no such key"])
    assert main(["ui"]) == 1
    told = capsys.readouterr().err
    assert "a fault of nasray, KeyError: 'no such key'" in told
    (file,) = (tmp_path / "nasray" / "faults").iterdir()
    assert str(file) in told
    assert "Traceback" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
