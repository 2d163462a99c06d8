"""Do weights per block order networks better that were not trained for them?

On the searches of the arm "default" of `ranking_truth.py`, finished in --root, whose 343 networks' accuracies stand in
`truth.csv`. Of a random few, the accuracies by one training seed are what weights are fitted to; Kendall's tau is that
of the scores with the mean accuracies of all others. Printed are means over searches and draws, for the equal weights
of the plain score, weights of the ratings, and of the ratings with the ratings inside the teacher; how often the fitted
ones are worse by more than .005; and of --gates draws each, how often the calibration itself says that they help.

    python benchmarks/calibration_truth.py [--root runs/ranking_truth] [--repeats 100] [--gates 10]
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from truth_scores import small_truth

from nasray.analysis.tables.ratings import load_ratings
from nasray.analysis.trust.block_weights import choose_penalty, fit_weights, normalised
from nasray.analysis.trust.calibration import block_features, calibrate

SIZES = (15, 20, 30, 60, 120, 240)
COLUMNS = {"rating": 1, "rating + swap_in": 2}


def main() -> None:
    """Print a table for each number of networks."""
    arguments = _arguments()
    truth = small_truth().reset_index()
    runs = sorted(Path(arguments.root).glob("default_[0-9]*"))
    if not runs:
        raise SystemExit(
            f"{arguments.root} must hold default_0, ...: python benchmarks/ranking_truth.py makes them"
        )
    tables = [load_ratings(run) for run in runs]
    features = [block_features(truth["architecture"], one, ["rating", "swap_in"]) for one in tables]
    print(f"{'networks':>8}{'plain':>8}" + "".join(f"{name:>18}{'gain':>17}{'worse':>7}" for name in COLUMNS))
    for size in SIZES:
        taus = np.array(
            [[_taus(one, truth, size, draw) for draw in range(arguments.repeats)] for one in features]
        )
        _print_row(size, taus)
    if not arguments.gates:
        return
    print(f"\n{'networks':>8}{'said to help':>14}{'of these truly':>16}")
    for size in (*SIZES, len(truth)):
        said = [
            _said(one, features[place], truth, size, draw)
            for place, one in enumerate(tables)
            for draw in range(arguments.gates if size < len(truth) else 1)
        ]
        right = [truly for helps, truly in said if helps]
        told = f"{np.mean(right):.2f}" if right and size < len(truth) else "-"
        print(f"{size:>8}{np.mean([helps for helps, _ in said]):>14.2f}{told:>16}")


def _draw(num_networks: int, size: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of networks that are trained, and of the others."""
    order = np.random.default_rng([size, draw]).permutation(num_networks)
    return order[:size], order[size:]


def _taus(features: np.ndarray, truth: pd.DataFrame, size: int, draw: int) -> list[float]:
    """The tau of equal weights, then of those fitted to each choice of columns."""
    trained, others = _draw(len(truth), size, draw)
    known = truth["accuracies"].str[0].to_numpy()[trained]
    found = [_tau(features[others, 0].sum(axis=1), truth, others)]
    for number in COLUMNS.values():
        rng = np.random.default_rng(draw)
        chosen = features[:, :number]
        penalty = choose_penalty(chosen[trained], known, rng)
        weights = normalised(fit_weights(chosen[trained], known, penalty))
        found.append(_tau((chosen[others] * weights).sum(axis=(1, 2)), truth, others))
    return found


def _tau(scores: np.ndarray, truth: pd.DataFrame, places: np.ndarray) -> float:
    return float(kendalltau(-scores, truth["accuracy"].to_numpy()[places]).statistic)


def _said(
    tables: list[pd.DataFrame], features: np.ndarray, truth: pd.DataFrame, size: int, draw: int
) -> tuple[bool, bool]:
    """Whether the calibration says that its weights help, and whether they do on the other networks."""
    trained, others = _draw(len(truth), size, draw)
    networks = truth.iloc[trained].assign(accuracy=truth["accuracies"].str[0].iloc[trained])
    figures = calibrate(networks, tables, seed=draw).figures
    if not len(others):
        return figures["helps"], True
    weights = np.array(figures["weights"]["rating"])
    gain = _tau(features[others, 0] @ weights, truth, others) - _tau(
        features[others, 0].sum(axis=1), truth, others
    )
    return figures["helps"], gain > 0


def _print_row(size: int, taus: np.ndarray) -> None:
    """Means over searches and draws; errors of the gains over draws, which the searches share."""
    text = f"{size:>8}{taus[..., 0].mean():>8.3f}"
    for place in range(1, taus.shape[-1]):
        gains = taus[..., place] - taus[..., 0]
        error = gains.mean(axis=0).std(ddof=1) / np.sqrt(gains.shape[1])
        gain = f"{gains.mean():+.4f} ± {error:.4f}"
        text += f"{taus[..., place].mean():>18.3f}{gain:>17}{np.mean(gains < -0.005):>7.2f}"
    print(text, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", default="runs/ranking_truth", help="folder of the searches' runs")
    parser.add_argument("--repeats", type=int, default=100, help="draws of networks for each number")
    parser.add_argument("--gates", type=int, default=10, help="draws on which the calibration judges itself")
    return parser.parse_args()


if __name__ == "__main__":
    main()
