"""Runs as pandas frames, rankings of all architectures, and what the evidence says of them; no torch, no Ray.

A notebook begins with a run's folder:

>>> from nasray import analysis
>>> run = analysis.load_run("runs/digits")
>>> run.data, run.config["teacher"]["source"]
('digits', 'largest')

The frames are read when they are asked for; what a run has not is None.

>>> best = run.ranking.iloc[0]
>>> bool(best["score"] == run.ranking["score"].min())
True
>>> ratings = run.ratings.groupby(["block", "depth"])["rating"].median().unstack("depth")  # lower is better
>>> ratings.index.tolist()
[0, 1]
>>> blocks = run.curves.query("kind == 'block' and metric == 'held_out_relative_l1'")
>>> blocks.pivot(index="epoch", columns="unit", values="value").shape  # .plot() draws the training curves
(3, 3)
>>> run.agreement is None  # no network of this run was trained for real
True

Several runs stand beside each other:

>>> analysis.compare_runs(["runs/digits"])[["name", "data", "num_architectures"]]
     name    data num_architectures
0  digits  digits                54
"""

from nasray.analysis.counting.counting import count_better
from nasray.analysis.exact.ranking import top_architectures
from nasray.analysis.runs.comparison import compare_runs
from nasray.analysis.runs.rank import rank_run
from nasray.analysis.runs.run import Run, load_run

__all__ = ["Run", "compare_runs", "count_better", "load_run", "rank_run", "top_architectures"]
