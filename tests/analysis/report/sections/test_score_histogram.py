import re

from nasray.analysis.report.sections.score_histogram import section
from nasray.analysis.runs.run import load_run


def test_every_architecture_is_counted_once(full_run):
    run = load_run(full_run)
    (figure,) = section(run).parts
    told = re.findall(r"<title>([0-9,]+) with a score", figure.charts[0].markup())
    assert sum(int(number.replace(",", "")) for number in told) == run.num_architectures
    assert [key.text for key in figure.legend] == [
        "all architectures",
        "trained for real",
        "found by SD-DARTS",
        "best of the ranking",
    ]
