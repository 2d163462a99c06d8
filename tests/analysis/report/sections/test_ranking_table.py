import pandas as pd

from nasray.analysis.report.sections.ranking_table import section
from nasray.analysis.runs.run import load_run


def table_of(path):
    (table,) = section(load_run(path)).parts
    return table


def test_the_table_has_what_the_ranking_has(full_run):
    table, ranking = table_of(full_run), pd.read_parquet(full_run / "ranking.parquet")
    headings = [
        "rank",
        "score",
        "P(top)",
        "group",
        "params",
        "MACs",
        "test accuracy",
        "share better",
        "architecture",
    ]
    assert [column.heading for column in table.columns] == headings
    assert [row[1].order for row in table.rows] == ranking["score"].tolist()
    assert table.starts == {10, 20, 30, 40}


def test_what_was_not_trained_has_a_dash(full_run):
    accuracies = [row[6] for row in table_of(full_run).rows]
    trained = load_run(full_run).agreement["architecture"]
    ranked = load_run(full_run).ranking["architecture"]
    assert [cell.order == cell.order for cell in accuracies] == ranked.isin(trained).tolist()


def test_a_ranking_without_errors_is_shown_as_it_is(new_run):
    run = new_run()
    run.ratings()
    run.ranking()
    path = run.path / "ranking.parquet"
    plain = pd.read_parquet(path).drop(columns=["score_se", "top_probability", "group"])
    plain.assign(latency_ms=1.5, top_probability=float("nan")).to_parquet(path)
    table = table_of(run.path)
    headings = ["rank", "score", "params", "MACs", "latency ms", "share better", "architecture"]
    assert [column.heading for column in table.columns] == headings
    assert table.rows[0][1].text == f"{plain['score'].iloc[0]:.4f}"
