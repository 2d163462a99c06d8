import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from nasray.analysis.report import write_report
from nasray.analysis.report.content import Section

VOID = {"meta", "wbr", "br"}


class Page(HTMLParser):
    """The sections, addresses and texts of a page; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.addresses, self.hosts = [], [], []
        self._open = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self.sections.append(given["id"])
        self.addresses += [given[name] for name in ("src", "href", "action") if name in given]

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def texts(page):
    return page.replace("<wbr>", "")


@pytest.fixture(scope="module")
def page(full_run, tmp_path_factory):
    return write_report(full_run, tmp_path_factory.mktemp("page") / "report.html").read_text()


def test_a_full_run_has_every_section_once(page):
    expected = ["ranking", "agreement", "costs", "scores", "ratings", "curves", "time"]
    assert Page(page).sections == expected


def test_the_page_needs_nothing_else(page):
    assert all(address.startswith("#") for address in Page(page).addresses)
    assert not re.search(r"https?://|url\((?!#)|@import", page)
    assert "Linux-on-a-host" not in page


def test_the_numbers_are_those_of_the_files(page, full_run):
    ranking = pd.read_parquet(full_run / "ranking.parquet")
    best, shown = ranking.iloc[0], texts(page)
    assert f">{best['architecture']}</td>" in shown
    assert f">{best['score']:.4f} ± 0.0125</td>" in shown
    networks = pd.read_parquet(full_run / "agreement.parquet")
    assert f"{networks['accuracy'].iloc[0]:.4f}" in shown
    assert shown.count('<tr class="start">') == 4  # five groups of ten
    assert "0123456789ab+" in shown


def test_every_chart_says_what_it_is(page):
    charts = [svg for svg in re.findall(r"<svg [^>]*>", page) if 'aria-hidden="true"' not in svg]
    assert len(charts) > 20
    assert all('role="img"' in chart and re.search(r'aria-label="[^"]+"', chart) for chart in charts)
    assert page.count("<figure") == page.count("<figcaption>")


def test_every_id_is_there_once(page):
    ids = re.findall(r'(?<=\sid=")[^"]+', page)
    assert len(ids) > 100
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'(?<=href="#)[^"]+|(?<=url\(#)[^)]+', page)) <= set(ids)


def test_the_same_run_gives_the_same_bytes(full_run, page, tmp_path):
    assert write_report(full_run, tmp_path / "again.html").read_text() == page


def test_without_an_output_it_stands_in_the_run(new_run):
    run = new_run()
    assert write_report(run.path) == run.path / "report.html"
    page = (run.path / "report.html").read_text()
    assert Page(page).sections == []
    assert "Nothing is finished yet." in page


def test_a_dna_search_alone(new_run, tmp_path):
    run = new_run()
    run.ratings(swap_in=False)
    run.ranking()
    page = write_report(run.path, tmp_path / "page.html").read_text()
    assert Page(page).sections == ["ranking", "costs", "scores", "ratings", "curves", "time"]
    assert "none was trained for real" in page
    assert "Swap-in" not in page


def test_an_unfinished_dna_search(new_run, tmp_path):
    run = new_run()
    run.ratings()
    (run.path / "ratings" / "block_1" / "2x24.parquet").unlink()
    page = write_report(run.path, tmp_path / "page.html").read_text()
    assert Page(page).sections == ["ratings", "curves", "time"]
    assert "not counted" in page


def test_sections_of_others_stand_before_all_and_behind_the_results(full_run, tmp_path):
    def build(name):
        return lambda run: Section(name, name, f"of {run.name}", [], f"{name} says so.")

    path = write_report(
        full_run, tmp_path / "page.html", first=[build("whole"), lambda run: None], more=[build("own")]
    )
    page = path.read_text()
    expected = ["whole", "ranking", "agreement", "costs", "scores", "ratings", "own", "curves", "time"]
    assert Page(page).sections == expected
    assert page.index("whole says so.") < page.index("own says so.") < page.index('<section id="whole"')


def test_a_comparison(new_run, tmp_path):
    run = new_run(searches=[], comparison={"arms": {"plain": {}, "k3": {}}, "spaces": {"s2": {}}})
    run.comparison()
    page = write_report(run.path, tmp_path / "page.html").read_text()
    assert Page(page).sections == ["comparison"]
    assert ">0.8600 ± 0.0058</td>" in page
    assert ">0.0500 ± 0.0000</td>" in page  # the gain of k3 over plain, the same for each seed
    assert "What k3 found is the best over 3 seeds" in page
    assert "k3, plain" in page  # as the config has them


def test_names_are_escaped(new_run, tmp_path):
    evil = "<script>alert(1)</script>"
    comparison = {"arms": {evil: {}}, "spaces": {evil: {}}}
    run = new_run(evil, searches=[], comparison=comparison, budgets={evil: 1.0})
    run.ratings(operations=("skip", "<script>alert(1)"))
    run.comparison(arms=("plain",), seeds=1)
    table = pd.read_parquet(run.path / "comparison.parquet")
    table.assign(space=evil, arm=evil, column=evil, architecture=evil).to_parquet(
        run.path / "comparison.parquet"
    )
    page = write_report(run.path, tmp_path / "page.html").read_text()
    assert page.count("<script>") == page.count("</script>") == 1
    assert "alert(1)" in page
    assert Page(page).sections == ["comparison", "scores", "ratings", "curves", "time"]


def test_a_large_run_has_a_small_page(new_run, tmp_path):
    run = new_run()
    run.ratings(operations=[f"op{number}" for number in range(46)])
    run.ranking(top=100_000)
    assert sum(map(len, run.tables)) > 100_000
    path = write_report(run.path, tmp_path / "page.html")
    assert path.stat().st_size < 2_000_000
    assert "The first 100 of 100,000 ranked." in path.read_text()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"config\.yaml"):
        write_report(tmp_path)
