import pandas as pd

from nasray.analysis.report import write_report
from nasray.analysis.report.sections.family import section
from nasray.analysis.runs.run import load_run


def leave_family(run):
    networks = pd.DataFrame(
        {
            "architecture": ["a", "b", "c", "d", "e"],
            "group": ["sample"] * 4 + ["found"],
            "accuracy": [0.5, 0.6, 0.7, 0.8, 0.9],
            "dna_seed_0": [4.0, 3.0, 2.0, 1.0, 0.0],
            "MACs": [-1.0, -3.0, -2.0, -4.0, -5.0],
        }
    )
    finds = pd.DataFrame(
        {
            "method": ["dna", "MACs"],
            "seed": pd.array([0, None], "Int64"),
            "column": ["dna_seed_0", "MACs"],
            "architecture": ["e", "e"],
            "cpu_seconds": [12.0, 0.0],
            "num_params": [1000, 1000],
            "num_macs": [2000, 2000],
            "accuracy": [0.9, 0.9],
        }
    )
    networks.to_parquet(run.path / "family_networks.parquet")
    finds.to_parquet(run.path / "family.parquet")


def test_a_run_of_one_search_has_no_section(new_run):
    assert section(load_run(new_run().path)) is None


def test_all_methods_stand_in_one_table_and_each_search_has_its_report(new_run):
    run = new_run(searches=[], family={"members": {"dna": {}}})
    leave_family(run)
    (run.path / "dna_seed_0").mkdir()
    (run.path / "dna_seed_0" / "report.html").touch()
    methods, finds = section(load_run(run.path)).parts
    texts = [cell.text for cell in methods.rows[0]]
    assert texts[:4] == ["dna", "1", "12", "1.000"]
    assert texts[6:] == ["0.9000", "1,000", "2,000"]
    assert finds.rows[0][0].text == '<a href="dna_seed_0/report.html">dna_seed_0</a>'
    assert finds.rows[1][0].text == "MACs"
    page = write_report(run.path).read_text(encoding="utf-8")
    assert "dna orders the sampled ones best" in page
