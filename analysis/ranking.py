"""The best of all architectures within budgets, exactly."""

import numpy as np

from analysis.chain import link
from analysis.relaxation import relax
from analysis.search import Effort, Search


def top_architectures(tables, budgets=None, k=100, *, time_limit_seconds=None):
    chain = link(tables, budgets)
    r = relax(chain)
    return Search(chain, r).best(k, np.inf, Effort())
