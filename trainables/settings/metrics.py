"""Metrics of block-wise ratings, by name: where the function of each stands, which is imported where it is used."""

from nasray.errors import UserError
from nasray.search_spaces.names.suggestion import did_you_mean

METRICS = {
    name: f"nasray.trainables.block_wise.metrics:{name}" for name in ("relative_l1", "mse", "noise_to_signal")
}
RELATIVE_L1 = "relative_l1"


def check_metric(name: str) -> str:
    """The name of a metric, or of a function of the user's own.

    Raises:
        UserError: It is neither.
    """
    if name in METRICS or ":" in name:
        return name
    raise UserError(
        f'must be one of {", ".join(METRICS)}, or "module:function" of your own, got {name!r}'
        f"{did_you_mean(name, METRICS)}"
    )
