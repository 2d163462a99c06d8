"""The README's example and commands do what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nasray.cli import main
from nasray.settings.loading import find_config, load_config
from nasray.trainables.settings.sd_darts import SdDartsConfig

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language):
    return [text for found, text in BLOCK.findall(README.read_text(encoding="utf-8")) if found == language]


def example(folder):
    """Write the worked example's two files."""
    (source,) = [text for text in blocks("python") if "def dilated" in text]
    (config,) = [text for text in blocks("yaml") if "name: my_search" in text]
    (folder / "my_search.py").write_text(source)
    (folder / "my_search.yaml").write_text(config)


@pytest.mark.timeout(400)
def test_the_worked_example_runs_as_written(tmp_path):
    """Its own commands, in a folder of its own; only the epochs are fewer."""
    example(tmp_path)
    (commands,) = [text.strip().splitlines() for text in blocks("sh") if "my_search.yaml --dry-run" in text]
    shorter = ["searches.0.epochs=1", "teacher.train.epochs=2", "resources.address=local"]
    shorter += ["retrain.top=1", "retrain.sample=3", "retrain.train.epochs=1"]
    for command in commands:
        arguments = command.split()[1:]
        if arguments[0] == "search":
            arguments += shorter
        code = f"import sys; from nasray.cli import main; sys.exit(main({arguments!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert (tmp_path / "small.csv").read_text().startswith("rank,architecture,score")


def test_every_command_of_the_readme_is_one(capsys):
    told = {
        line.split()[1] for text in blocks("sh") for line in text.splitlines() if line.startswith("nasray ")
    }
    for command in told | {"ui", "inspect"}:
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        assert stopped.value.code == 0
    capsys.readouterr()


def test_every_file_that_the_readme_names_is_there():
    text = README.read_text(encoding="utf-8")
    named = set(
        re.findall(r"`((?:nasray|search_spaces|trainables|analysis|benchmarks|configs)/[\w/]+\.\w+)`", text)
    )
    assert named
    missing = sorted(name for name in named if not (README.parent / name).exists())
    assert missing == []


def test_the_example_of_a_space_runs():
    (code,) = [text for text in blocks("python") if "build_space" in text]
    found: dict = {}
    exec(code, found)
    assert sum(parameter.numel() for parameter in found["network"].parameters()) == found["cost"].num_params


def test_the_parts_of_configs_are_parts_of_configs(tmp_path):
    """What the README shows of a search and of a sweep stands in a config as it is."""
    (searched,) = [text for text in blocks("yaml") if "method: sd_darts" in text]
    (swept,) = [text for text in blocks("yaml") if text.startswith("sweep:")]
    path = tmp_path / "config.yaml"
    path.write_text("name: part\ndata: {source: digits}\n" + searched)
    config = load_config(path)
    assert config.searches == (SdDartsConfig(epochs=20),), "the settings that it names are the defaults"
    path.write_text(find_config("digits").read_text() + swept)
    assert load_config(path).sweep.unit == "block_1/3x24"
    (evidence,) = [text for text in blocks("yaml") if text.startswith("retrain:")]
    digits = find_config("digits").read_text()
    path.write_text(digits[: digits.index("retrain:")] + evidence)
    assert load_config(path).retrain.training_seeds == (0, 1)
