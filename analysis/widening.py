"""How many architectures a search has to look at, and how wide it has to be to look at as many."""

import numpy as np

from analysis.chain import Chain
from analysis.grid import Cells, Steps, add_block
from analysis.relaxation import Relaxation

_NUM_CELLS = 1024
_NARROWEST = 2.0**-30  # slack to begin with where ties leave none, by the largest there is


def num_within(chain: Chain, relaxation: Relaxation, slack: float) -> float:
    """About how many architectures lie within `slack` of the relaxation's bound, whatever their costs."""
    return float(_numbers_within(chain, relaxation, slack)[-1]) if slack > 0 else 0.0


def slack_holding(chain: Chain, relaxation: Relaxation, number: float) -> float:
    """About the slack within which `number` architectures lie; inf if that takes nearly all."""
    excesses = np.sort(np.concatenate(relaxation.excesses))
    largest = sum(float(of_rows.max()) for of_rows in relaxation.excesses)
    slack = max(float(excesses[int(min(number, len(excesses))) - 1]), _NARROWEST * largest)
    while slack < largest:
        numbers = _numbers_within(chain, relaxation, slack)
        if numbers[-1] >= number:
            return float(np.searchsorted(numbers, number) + 1) * slack / _NUM_CELLS
        slack *= 2
    return np.inf


def _numbers_within(chain: Chain, relaxation: Relaxation, slack: float) -> Cells:
    """Numbers of architectures within parts of `slack`, each one cell wider."""
    cells = [np.eye(1, _NUM_CELLS)[0]]
    for block, excesses in zip(chain.blocks, relaxation.excesses, strict=True):
        offsets = np.clip(excesses / slack * _NUM_CELLS, 0, _NUM_CELLS).astype(np.int64)
        steps = Steps(offsets, np.ones(len(offsets)), block.entries, block.exits)
        cells = add_block(cells, steps, int(block.exits.max()) + 1)
    return np.cumsum(cells[0])
