import pytest

from nasray.run.report_page import leave_report, report
from nasray.search_spaces.artefacts.run_files import RunFiles


def sections(page):
    return [text.split('"')[0] for text in page.read_text(encoding="utf-8").split('<section id="')[1:]]


def test_a_methods_section_stands_where_the_config_has_the_method(new_run):
    run = new_run(searches=[{"method": "dna"}, {"method": "sd_darts"}])
    run.search("sd_darts", 0.5)
    assert sections(report(run.path)) == ["sd_darts", "time"]
    assert sections(report(new_run(searches=[{"method": "dna"}]).path)) == ["time"]


def test_a_comparison_shows_what_the_methods_of_its_arms_do(new_run):
    run = new_run(searches=[], comparison={"arms": {"plain": {}, "k3": {}}})
    run.comparison()
    for part in run.path.iterdir():
        config = part / "config.yaml"
        if config.is_file():
            config.write_text(config.read_text().replace("method: dna", "method: sd_darts"))
    leave_report(RunFiles(run.path))
    assert sections(run.path / "report.html") == ["comparison", "sd_darts"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"config\.yaml"):
        report(tmp_path)
