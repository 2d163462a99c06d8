import pandas as pd
import pytest
from rich.console import Console

from nasray.pipeline.study import MEASURED
from nasray.views.study import print_study


@pytest.fixture
def printed(capsys):
    def show(runs, width=160):
        print_study(runs, Console(width=width, highlight=False))
        return capsys.readouterr().out

    return show


def row(space, arm, seed, accuracy):
    return {
        "space": space,
        "arm": arm,
        "seed": seed,
        **dict.fromkeys(MEASURED, 1.0),
        "test_accuracy": accuracy,
        "gain": 0.0,
    }


def test_means_stand_with_their_errors(printed):
    text = printed(pd.DataFrame([row("blocks", "plain", 0, 0.6), row("blocks", "plain", 1, 0.8)]))
    title, headings, line = (" ".join(text_line.split()) for text_line in text.strip().splitlines())
    assert title == "Space blocks"
    assert headings.startswith(
        "arm runs accuracy of the found paired gain skips eigenvalue noise slope gap seconds"
    )
    assert (
        line
        == "plain 2 0.700 ± 0.100 0.000 ± 0.000 1.0 ± 0.0 1.000 ± 0.000 1.000 ± 0.000 1.000 ± 0.000 1 ± 0"
    )


def test_a_narrow_terminal_shows_all_of_it(printed):
    arms = ["plain_longer", "smoothed_label"]
    text = printed(
        pd.DataFrame([row("blocks", arm, seed, 0.6 + seed) for arm in arms for seed in (0, 1)]), 80
    )
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    first, second = (line.split() for line in text.splitlines()[-2:])
    assert first[:3] == ["smoothed_label", "2", "1.100"]
    assert second[0] == "±0.500"


def test_one_run_has_no_error(printed):
    assert "±" not in printed(pd.DataFrame([row("blocks", "plain", 0, 0.6)]))


def test_every_space_has_a_table_with_its_own_arms(printed):
    runs = [row("z", "first", 0, 0.1), row("z", "second", 0, 0.2), row("a", "first", 0, 0.3)]
    lines = [line.split()[:2] for line in printed(pd.DataFrame(runs)).splitlines() if line]
    starts = [line for line in lines if line[0] != "arm"]
    assert starts == [["Space", "z"], ["first", "1"], ["second", "1"], ["Space", "a"], ["first", "1"]]
