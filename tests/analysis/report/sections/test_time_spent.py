from nasray.analysis.report.sections.time_spent import section
from nasray.analysis.runs.run import load_run


def test_the_longest_stand_first(full_run):
    figure, totals = section(load_run(full_run)).parts
    assert "block_0/2x8" in figure.charts[0].markup()
    by_kind = {row[0].text: row for row in totals.rows}
    assert by_kind["retrain"][1].text == "24"
    assert by_kind["retrain"][2].text == "96.0 s"
    assert by_kind["teacher"][2].text == "3.0 s"
    orders = [row[2].order for row in totals.rows]
    assert orders == sorted(orders, reverse=True)


def test_only_the_longest_are_drawn(new_run):
    run = new_run()
    for number in range(50):
        run.done(f"retrain/{number:012x}/seed_0", [{"epoch": 1, "seconds": float(number + 1)}])
    figure, _ = section(load_run(run.path)).parts
    page = figure.charts[0].markup()
    assert page.count(" epochs</title>") == 30
    assert f"{20:012x}" in page
    assert f"{19:012x}" not in page


def test_nothing_without_times(new_run):
    run = new_run()
    run.done("features/train/0", [{"shard": 0}])
    assert section(load_run(run.path)) is None
