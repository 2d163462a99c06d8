"""Time of a differentiable search step, against the released implementations of DARTS and NAS-Bench-201.

Per space, on the same batch (32 x 32 pixels), with the same threads, in float32, the rounds going through all arms in
turn: one pass of the supernet, forward and backward; one search step, alphas on one batch and weights on another, of
first and of second order. The limit of a pass is what our supernet's convolutions take alone.

    git clone https://github.com/D-X-Y/AutoDL-Projects REFERENCE/AutoDL-Projects
    git clone https://github.com/quark0/darts REFERENCE/darts
    python benchmarks/sd_darts_step.py --reference REFERENCE [--threads 2] [--batch-size 16] [--rounds 5]
"""

import argparse
import os
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
import torch.nn.functional as F
from limits import Action, bare_convolutions
from no_gpu import use_no_gpu
from torch import Tensor, nn
from verdicts import Verdict, tell

from nasray.search_spaces.cells.cell_space import CellSpace
from nasray.search_spaces.cells.darts import darts_s0
from nasray.search_spaces.cells.nasbench201 import nasbench201
from nasray.trainables.sd_darts.halves import Batch
from nasray.trainables.sd_darts.step import SdDarts
from nasray.trainables.sd_darts.supernets.cell_supernet import MixedCellSupernet
from nasray.trainables.settings.sd_darts import SdDartsConfig

Pair = tuple[Batch, Batch]
CONFIG = SdDartsConfig(self_distillation=None)
SHAPE, NUM_CLASSES = (3, 32, 32), 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, default=os.environ.get("NASRAY_REFERENCE"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.reference is None:
        print("Nothing to compare with: give the folder of the two repositories by --reference, see --help.")
        return
    warnings.filterwarnings("ignore")  # the references use forms of torch's functions that are out of date
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(f"{'':28} {'reference s':>12} {'ours s':>8} {'ratio':>6}")
    pair = (random_batch(arguments.batch_size), random_batch(arguments.batch_size))
    references = {"NAS-Bench-201": nasbench201_reference, "DARTS S0": darts_reference}
    for name, space in {"NAS-Bench-201": nasbench201, "DARTS S0": darts_s0}.items():
        compare(
            name,
            references[name](arguments.reference, pair),
            our_actions(space(SHAPE, NUM_CLASSES), pair),
            arguments.rounds,
        )


def compare(name: str, reference: dict[str, Action], ours: dict[str, Action], rounds: int) -> None:
    """Prints a row per action; those that only we have are shown without a ratio."""
    arms = {("reference", key): action for key, action in reference.items()}
    arms |= {("ours", key): action for key, action in ours.items()}
    seconds: dict[tuple[str, str], list[float]] = {arm: [] for arm in arms}
    for _ in range(rounds + 1):
        for arm, action in arms.items():
            started = time.perf_counter()
            action()
            seconds[arm].append(time.perf_counter() - started)
    # The first round warms up.
    medians = {arm: statistics.median(values[1:]) for arm, values in seconds.items()}
    for key in ours:
        mine, theirs = medians["ours", key], medians.get(("reference", key))
        text = f"{theirs:12.3f} {mine:8.3f} {mine / theirs:6.2f}" if theirs else f"{'':12} {mine:8.3f}"
        print(f"{name + ', ' + key:28} {text}", flush=True)
        if theirs:
            figures = (f"{mine:.2f} s", f"{theirs:.2f} s", mine / theirs, 0.7)
            tell(Verdict(f"SD-DARTS on {name}, {key}, against the released code", *figures))


def random_batch(size: int) -> Batch:
    return Batch(torch.arange(size), torch.randn(size, *SHAPE), torch.randint(NUM_CLASSES, (size,)))


def our_actions(space: CellSpace, pair: Pair) -> dict[str, Action]:
    supernet = MixedCellSupernet(space).to(memory_format=torch.channels_last)
    train, val = (
        Batch(batch.rows, batch.images.to(memory_format=torch.channels_last), batch.labels) for batch in pair
    )
    # A step needs neither the source of its batches nor what is measured after an epoch.
    first, second = (
        SdDarts(supernet, None, None, None, CONFIG.model_copy(update={"second_order": second_order}))
        for second_order in (False, True)
    )
    return {
        "limit": bare_convolutions(supernet, partial(supernet, train.images)),
        "pass": partial(one_pass, supernet, train),
        "first order": partial(first.step, (train, val)),
        "second order": partial(second.step, (train, val)),
    }


def one_pass(network: Callable[[Tensor], Tensor], batch: Batch) -> None:
    F.cross_entropy(network(batch.images), batch.labels).backward()


def darts_reference(folder: Path, pair: Pair) -> dict[str, Action]:
    """The released supernet of DARTS and its step."""
    use_no_gpu()
    sys.path.insert(0, str(folder / "darts" / "cnn"))
    from architect import Architect  # noqa: PLC0415
    from model_search import Network  # noqa: PLC0415

    network = Network(16, NUM_CLASSES, 8, nn.CrossEntropyLoss())
    optimizer = weight_optimizer(network.parameters())
    settings = argparse.Namespace(
        momentum=CONFIG.momentum,
        weight_decay=CONFIG.weight_decay,
        arch_learning_rate=CONFIG.alpha_lr,
        arch_weight_decay=CONFIG.alpha_weight_decay,
    )
    architect = Architect(network, settings)
    train, val = pair

    def step(*, unrolled: bool) -> None:
        batches = (train.images, train.labels, val.images, val.labels)
        architect.step(*batches, CONFIG.lr, optimizer, unrolled=unrolled)
        weight_step(network, network.parameters(), optimizer, train)

    return {
        "pass": partial(one_pass, network, train),
        "first order": partial(step, unrolled=False),
        "second order": partial(step, unrolled=True),
    }


def nasbench201_reference(folder: Path, pair: Pair) -> dict[str, Action]:
    """The released supernet of NAS-Bench-201 and its step."""
    use_no_gpu()
    root = folder / "AutoDL-Projects"
    sys.path.insert(0, str(root))
    # The script asks for the benchmark's tables, which a step does not need.
    sys.modules["nas_201_api"] = types.SimpleNamespace(NASBench201API=None)
    from xautodl.models.cell_operations import NAS_BENCH_201  # noqa: PLC0415
    from xautodl.models.cell_searchs import TinyNetworkDarts  # noqa: PLC0415

    spec = spec_from_file_location("second_order", root / "exps/NAS-Bench-201-algos/DARTS-V2.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    network = TinyNetworkDarts(16, 5, 4, NUM_CLASSES, NAS_BENCH_201, affine=False, track_running_stats=True)
    wrapped = nn.DataParallel(network)
    optimizer = weight_optimizer(network.get_weights())
    alpha_optimizer = torch.optim.Adam(network.get_alphas(), CONFIG.alpha_lr, CONFIG.alpha_betas)
    train, val = pair

    def logits(images: Tensor) -> Tensor:
        return network(images)[1]

    def step(*, unrolled: bool) -> None:
        alpha_optimizer.zero_grad()
        if unrolled:
            batches = (train.images, train.labels, optimizer, val.images, val.labels)
            script.backward_step_unrolled(wrapped, F.cross_entropy, *batches)
        else:
            one_pass(logits, val)
        alpha_optimizer.step()
        weight_step(logits, network.get_weights(), optimizer, train)

    return {
        "pass": partial(one_pass, logits, train),
        "first order": partial(step, unrolled=False),
        "second order": partial(step, unrolled=True),
    }


def weight_optimizer(parameters: object) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, CONFIG.lr, CONFIG.momentum, weight_decay=CONFIG.weight_decay)


def weight_step(
    network: Callable[[Tensor], Tensor], parameters: object, optimizer: torch.optim.Optimizer, batch: Batch
) -> None:
    optimizer.zero_grad()
    one_pass(network, batch)
    nn.utils.clip_grad_norm_(parameters, CONFIG.gradient_clip)
    optimizer.step()


if __name__ == "__main__":
    main()
