import pandas as pd
import pytest
from rich.console import Console

from nasray.pipeline.search_result import SearchResult
from nasray.run.folder import RunFolder
from nasray.settings.comparison import ComparisonConfig
from nasray.settings.loading import dump_config, load_config
from nasray.views.comparison import describe_comparison, print_comparison
from nasray.views.summary import print_result

MEASURED = ("num_skips", "alpha_eigenvalue", "weight_noise_slope", "discretization_gap", "supernet_accuracy")


@pytest.fixture
def printed(capsys):
    def show(rows, networks=None, width=200):
        print_comparison(pd.DataFrame(rows), networks, Console(width=width, highlight=False))
        return capsys.readouterr().out

    return show


def row(space, arm, seed, accuracy, measured=("num_skips", "alpha_eigenvalue")):
    return {
        "space": space,
        "arm": arm,
        "seed": seed,
        "column": f"{arm}_seed_{seed}",
        "architecture": "a",
        "num_params": 12_345,
        "num_macs": 5_000_000,
        "accuracy": accuracy,
        "gain": 0.0,
        "cpu_seconds": 1234.0,
        "num_unrated": 0,
        **dict.fromkeys(measured, 1.0),
    }


def test_means_stand_with_their_errors(printed):
    text = printed([row("blocks", "plain", 0, 0.6), row("blocks", "plain", 1, 0.8)])
    title, headings, line = (" ".join(text_line.split()) for text_line in text.strip().splitlines()[:3])
    assert title == "Space blocks: means over seeds ± standard error"
    assert headings == ("arm seeds accuracy paired gain CPU seconds params MACs num skips alpha eigenvalue")
    assert line == ("plain 2 0.7000 ± 0.1000 0.0000 ± 0.0000 1,234 ± 0 12.3k 5M 1.000 ± 0.000 1.000 ± 0.000")
    assert "What plain found is the best over 2 seeds, right on 0.7000 ± 0.1000." in text


def test_a_narrow_terminal_shows_what_fits_and_says_what_does_not(printed):
    rows = [
        row("blocks", arm, seed, 0.6 + seed / 10, MEASURED)
        for arm in ("plain_longer", "smoothed_label")
        for seed in (0, 1)
    ]
    text = printed(rows, width=80)
    table, _, rest = text.partition("The report page shows ")
    assert "…" not in text
    assert max(map(len, table.splitlines())) <= 80
    assert "0.6500" in table
    assert "±0.0500" in table
    assert "discretization gap, supernet accuracy, too." in rest
    wide = printed(rows, width=300)
    assert "The report page" not in wide
    assert "supernet accuracy" in wide


def test_one_seed_has_no_error(printed):
    table = printed([row("blocks", "plain", 0, 0.6)]).split("\n", 1)[1]
    assert "±" not in table


def test_every_space_has_a_table_with_its_own_arms(printed):
    rows = [row("z", "first", 0, 0.1), row("z", "second", 0, 0.2), row("a", "first", 0, 0.3)]
    lines = [line.split()[:2] for line in printed(rows).splitlines() if line]
    starts = [line for line in lines if line[0] in ("Space", "first", "second")]
    assert starts == [["Space", "z:"], ["first", "1"], ["second", "1"], ["Space", "a:"], ["first", "1"]]


def test_scores_stand_with_their_interval(printed):
    accuracies = [0.5, 0.6, 0.7, 0.8, 0.9]
    networks = pd.DataFrame({"space": "blocks", "group": ["sample"] * 4 + ["found"], "accuracy": accuracies})
    networks["dna_seed_0"] = [-value for value in accuracies]
    text = printed([row("blocks", "dna", 0, 0.9), row("blocks", "MACs", None, 0.8)], networks)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[1].startswith("arm seeds τ 95% accuracy")
    assert lines[2].startswith("dna 1 1.00 1.00 to 1.00 0.9000")
    assert lines[3].startswith("MACs 1 – – 0.8000")  # noqa: RUF001
    assert "τ is that of an arm's scores on 4 networks drawn within the budgets" in text


def test_what_follows_is_told_before_it_runs():
    settings = {"seeds": (0, 2), "arms": {"plain": {}, "taught": {}}}
    comparison = ComparisonConfig.model_validate(settings)
    assert describe_comparison(comparison) == (
        "4 searches in all: 2 arms with the seeds 0, 2; then what each found is trained for real."
    )
    spaces = {name: {"source": "digits"} for name in ("s1", "s2", "s3")}
    drawn = ComparisonConfig.model_validate(settings | {"spaces": spaces, "judge": {"sample": 40, "seed": 0}})
    assert describe_comparison(drawn) == (
        "12 searches in all: 2 arms in 3 spaces with the seeds 0, 2; then 40 networks that are drawn, and what each "
        "found, are trained for real."
    )
    alone = describe_comparison(ComparisonConfig.model_validate(settings | {"judge": None}))
    assert alone == "4 searches in all: 2 arms with the seeds 0, 2."


def test_what_arms_change_is_not_printed_as_a_search_of_its_own(tiny, tmp_path, capsys):
    """Here generations, of which the comparison's own folder has no table."""
    search = tiny()["searches"][0] | {"method": "dna_plus", "generations": 2}
    arms = {"two": {}, "one": {"searches.0.generations": 1}}
    retrain = {"top": 1, "sample": 0, "distillation": {}}
    config = load_config(tiny(searches=[search], retrain=retrain, comparison={"seeds": [0], "arms": arms}))
    folder = RunFolder.of(config)
    folder.path.mkdir(parents=True)
    folder.config.write_text(dump_config(config))
    found = pd.DataFrame([row("blocks", "two", 0, 0.6), row("blocks", "one", 0, 0.5)])
    result = SearchResult(folder.path, None, None, None, 54, 3, 1.0, comparison=found)
    print_result(result, Console(width=200, highlight=False))
    told = capsys.readouterr().out
    assert "What two found is the best over one seed, right on 0.6000." in told
    assert "Generations" not in told
