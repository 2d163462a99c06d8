import json
import subprocess
import sys

import pytest

from nasray.inputs.shared import unit_inputs
from nasray.run.environment import describe_environment
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config

HOLD = """
import sys
from pathlib import Path
from nasray.run.folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_in_use_is_refused_and_free_when_its_process_is_gone(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="another nasray works in it"), RunFolder(tmp_path).locked():
            pass
        other.kill()
        other.wait()
    with RunFolder(tmp_path).locked():
        pass


def test_a_claim_writes_the_config_and_the_tables_to_come(tiny):
    config = load_config(tiny())
    folder = RunFolder.of(config)
    tables = {folder.table(0, "2x8"): 4, folder.table(1, "2x16"): 9}
    inputs = unit_inputs(config, folder)
    folder.claim(config, inputs, tables)
    assert folder.read_config() == config
    assert json.loads(folder.tables.read_text()) == {
        "ratings/block_0/2x8.parquet": 4,
        "ratings/block_1/2x16.parquet": 9,
    }
    assert folder.claim(config, inputs, tables) == []


def test_a_folder_that_is_no_run_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"RUN must be the folder of a run, with a config.yaml"):
        RunFolder(tmp_path).read_config()


def test_the_environment_has_no_secrets(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    environment = describe_environment(seed=3)
    assert "hunter2" not in str(environment)
    assert environment["seed"] == 3
    assert environment["packages"]["ray"]
