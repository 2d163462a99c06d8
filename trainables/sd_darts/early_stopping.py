"""Early stopping of a search whose loss curves ever more sharply in the architecture parameters.

Source: RobustDARTS (Zela et al., ICLR 2020, arXiv 1909.09656), section 4.3 (DARTS-ES), for the defaults. The released
code does the same with other numbers: windows of 5 values and a lag of 4, values being 2 epochs apart, growth by 1.3,
and no architecture from before epoch 10. Our reading, where the source is silent: a mean that is zero or negative, or
that includes a value that is not finite, is no measure of sharpness; no decision is based on it.
"""

from collections.abc import Sequence

import numpy as np


def stop_epoch(
    eigenvalues: Sequence[float], *, window: int = 5, lag: int = 5, factor: float = 0.75, earliest: int = 0
) -> int | None:
    """The epoch whose architecture is to be kept, if the search is to stop, or None.

    It is i - lag for the first epoch i with mean(i - lag) / mean(i) < factor. mean(i) is taken over the `window` values
    around i: the decision falls window // 2 values after i, and values that follow do not change it.

    Args:
        eigenvalues: The dominant eigenvalue of each epoch so far. Where it is measured less often, `lag`, `earliest`
            and the result count measurements.
        window: Number of values in a mean; of an even number, the longer part follows i.
        lag: How far apart the two means are.
        factor: The ratio below which the loss has become too sharp.
        earliest: The first epoch whose architecture may be kept.
    """
    if len(eigenvalues) < window + lag:
        return None
    values = np.where(np.isfinite(eigenvalues), eigenvalues, np.nan)
    means = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=-1)
    before, after = means[:-lag], means[lag:]
    kept = np.arange(len(before)) + (window - 1) // 2
    too_sharp = (before > 0) & (before < factor * after) & (kept >= earliest)
    return int(kept[too_sharp][0]) if too_sharp.any() else None
