"""The cost of a search that ranks, in the unit of the strategies beside it: epochs of training a network.

Source: ours.
"""

from itertools import islice
from statistics import fmean

from nasray.methods.method import ranking_method
from nasray.run.folder import RunFolder
from nasray.settings.experiment import ExperimentConfig
from nasray.strategies.problem import Problem
from nasray.trainables.inputs import SearchInputs

_NUM_NETWORKS = 256


def ranking_epochs(
    config: ExperimentConfig, folder: RunFolder, inputs: SearchInputs, problem: Problem
) -> float:
    """What a finished search cost, in epochs of training an architecture of the problem, of average MACs."""
    search, method = ranking_method(config)
    networks = islice(problem.draws(config.seed), _NUM_NETWORKS)
    macs = fmean(problem.cost(architecture).num_macs for architecture in networks)
    work = method.work(search, config, folder, inputs)
    return sum(work.values()) / (3.0 * inputs.summary.num_train * macs)
