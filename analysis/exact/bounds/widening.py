"""The slack in score that admits about N architectures."""

import time

import numpy as np
from numpy.typing import NDArray

from nasray.analysis.exact.bounds.grid import Cells, Steps, add_block
from nasray.analysis.exact.bounds.relaxation import Relaxation
from nasray.analysis.exact.chain import Chain

_NUM_CELLS = 1024
_NARROWEST = 2.0**-30  # slack to begin with where ties leave none, by the smallest that lets anything else in


def num_within(chain: Chain, relaxation: Relaxation, slack: float) -> float:
    """About how many architectures have excesses up to `slack`, whatever their costs."""
    return float(_numbers_within(chain, relaxation, slack)[-1]) if slack > 0 else 0.0


def slack_holding(chain: Chain, relaxation: Relaxation, number: float, deadline: float = np.inf) -> float:
    """About the slack within which `number` architectures lie; inf if that takes nearly all.

    At the deadline, on the monotonic clock, it is one that holds fewer.
    """
    excesses = np.sort(np.concatenate(relaxation.excesses))
    largest = sum(float(of_rows.max()) for of_rows in relaxation.excesses)
    if not largest:
        return np.inf
    slack = float(excesses[int(min(number, len(excesses))) - 1])
    slack = slack or _NARROWEST * _next(excesses, 0.0)
    while slack < largest:
        numbers = _numbers_within(chain, relaxation, slack)
        if numbers[-1] >= number:
            return float(np.searchsorted(numbers, number) + 1) * slack / _NUM_CELLS
        if time.monotonic() > deadline:
            return slack
        lets_in = float(excesses[excesses <= slack].max(initial=0.0))
        # Up to the next excess, no architecture has more than those up to here together.
        slack = max(2 * slack, _next(excesses, slack) if slack >= len(chain.blocks) * lets_in else 0.0)
    return np.inf


def _next(excesses: NDArray[np.float64], slack: float) -> float:
    """The smallest excess beyond a slack."""
    return float(excesses.min(initial=np.inf, where=excesses > slack))


def _numbers_within(chain: Chain, relaxation: Relaxation, slack: float) -> Cells:
    """Numbers of architectures within parts of `slack`, each one cell wider."""
    cells = [np.eye(1, _NUM_CELLS)[0]]
    for block, excesses in zip(chain.blocks, relaxation.excesses, strict=True):
        offsets = (np.minimum(excesses, slack) / slack * _NUM_CELLS).astype(np.int64)
        steps = Steps(offsets, np.ones(len(offsets)), block.entries, block.exits)
        cells = add_block(cells, steps, int(block.exits.max()) + 1)
    return np.cumsum(cells[0])
