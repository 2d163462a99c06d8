import re

import pandas as pd

from nasray.analysis.report.sections.block_ratings import section
from nasray.analysis.runs.run import load_run
from nasray.search_spaces.artefacts import rating_table


def test_each_block_has_its_groups(full_run):
    groups, swap_in = section(load_run(full_run)).parts
    first, second = (chart.markup() for chart in groups.charts)
    for name in ("2 layers", "3 layers", "mb3k3", "mb6k5", "skip"):
        assert f">{name}</text>" in first
    assert "channels</text>" not in first  # all of the block's are 8 wide
    assert ">16 channels</text>" in second
    assert len(swap_in.charts) == 2


def test_a_group_has_all_candidates_with_the_operation(full_run):
    ratings = pd.concat(load_run(full_run).tables[:1])
    own = ratings[ratings["operations"].str.contains("mb6k5")]["rating"]
    page = section(load_run(full_run)).parts[0].charts[0].markup()
    number, median = re.search(r"mb6k5: (\d+) candidates, median ([0-9.]+)", page).groups()
    assert (int(number), median) == (len(own), f"{own.median():.4f}")


def test_failures_are_counted(new_run):
    run = new_run()
    run.ratings(swap_in=False)
    path = run.path / "ratings" / "block_0" / "2x8.parquet"
    frame = rating_table.read(path)
    frame.loc[0, ["rating", "rating_batches", "failure"]] = [None, None, "not finite"]
    rating_table.write(frame, path)
    built = section(load_run(run.path))
    assert built.lead.endswith(
        "1 more could not be rated: 1 of the 36 in block 0, 2x8:skip,skip (not finite)."
    )
    assert len(built.parts) == 1
