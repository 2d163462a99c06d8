"""Cost of voting teachers in a search step: K = 3, logits kept or snapshots evaluated again.

On NAS-Bench-201's supernet (16 channels, 5 cells a stage), first order, 32 x 32 pixels, float32, the rounds going
through all arms in turn. Batched evaluation of the snapshots (torch.func.vmap) is what GPUs get, shown here for a CPU.

    python benchmarks/sd_darts_teachers.py [--threads 1] [--batch-size 16] [--rounds 5]
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch
from verdicts import Verdict, tell

from nasray.search_spaces.cells.nasbench201 import nasbench201
from nasray.trainables.sd_darts.halves import Batch
from nasray.trainables.sd_darts.step import SdDarts
from nasray.trainables.sd_darts.supernets.cell_supernet import MixedCellSupernet
from nasray.trainables.sd_darts.voting.earlier_selves import EarlierSelves
from nasray.trainables.sd_darts.voting.self_distillation import SelfDistillation
from nasray.trainables.sd_darts.voting.teachers import build_teachers
from nasray.trainables.settings.sd_darts import SdDartsConfig, SelfDistillationConfig

SHAPE, NUM_CLASSES = (3, 32, 32), 10
ARMS = {
    "plain": None,
    "K=3, logits kept": SelfDistillationConfig(mode="cache", start_epoch=0),
    "K=3, evaluated": SelfDistillationConfig(mode="forward", start_epoch=0),
    "K=3, evaluated, batched": SelfDistillationConfig(mode="forward", start_epoch=0),
    "moving average": SelfDistillationConfig(teacher="ema", start_epoch=0),
}
AIMS = {"K=3, logits kept": 1.1, "K=3, evaluated": 1.8}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # vmap tells of operations that it runs in a loop
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    pair = (random_batch(arguments.batch_size), random_batch(arguments.batch_size))
    with tempfile.TemporaryDirectory() as folder:
        methods = {arm: method(arm, Path(folder), arguments.batch_size) for arm in ARMS}
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for _ in range(arguments.rounds + 1):
        for arm, search in methods.items():
            started = time.perf_counter()
            search.step(pair)
            seconds[arm].append(time.perf_counter() - started)
    # The first round warms up.
    medians = {arm: statistics.median(values[1:]) for arm, values in seconds.items()}
    for arm, median in medians.items():
        ratio = median / medians["plain"]
        print(f"{arm:26} {median:7.3f} s {ratio:6.2f}")
        if arm in AIMS:
            plain = f"{medians['plain']:.2f} s"
            tell(Verdict(f"SD-DARTS, {arm}, against plain", f"{median:.2f} s", plain, ratio, AIMS[arm]))


def method(arm: str, folder: Path, batch_size: int) -> SdDarts:
    """A search whose teachers have three snapshots to show."""
    settings = ARMS[arm]
    config = SdDartsConfig(self_distillation=settings)
    supernet = MixedCellSupernet(nasbench201(SHAPE, NUM_CLASSES)).to(memory_format=torch.channels_last)
    if settings is None:
        return SdDarts(supernet, None, None, None, config)
    teachers = build_teachers(settings, supernet, folder, num_images=batch_size, num_classes=NUM_CLASSES)
    if arm.endswith("batched"):
        teachers._selves = EarlierSelves(supernet, settings.norm, batched=True)
    distillation = SelfDistillation(teachers, settings)
    for epoch in range(3):
        distillation.start_epoch(epoch)
        distillation.after_step()
        distillation.after_epoch()
    return SdDarts(supernet, None, None, distillation, config)


def random_batch(size: int) -> Batch:
    images = torch.randn(size, *SHAPE).contiguous(memory_format=torch.channels_last)
    return Batch(torch.arange(size), images, torch.randint(NUM_CLASSES, (size,)))


if __name__ == "__main__":
    main()
