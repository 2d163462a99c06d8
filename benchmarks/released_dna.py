"""Time of a DNA search, against the released code.

Its space, blocks and teacher (EfficientNet-B7 with random weights), images of 224 x 224 pixels, the same batch and
threads, float32; the rounds go through all arms of all blocks in turn, and medians are taken. Student: a training step
on features that are there. Step: with the teacher's part, as the released code runs it every time, and as ours reads
its kept features from disk (which the page cache holds here). Search: 20 epochs of all six blocks, features included,
by these times. Rating: a candidate of a block of 1,296, which the released code evaluates path by path and ours with
shared prefixes, below one of the six first layers; both calibrate on as many images as they rate on.

    git clone https://github.com/changlin31/DNA REFERENCE/DNA
    python benchmarks/released_dna.py --reference REFERENCE [--threads 1] [--batch-size 8] [--rounds 5]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path as FilePath

import numpy as np
import torch
from limits import Action
from released_code import Pair, ReleasedDna
from torch import Tensor, nn
from verdicts import Verdict, tell

from nasray.search_spaces.build import build_space
from nasray.search_spaces.chain.space import SearchSpace
from nasray.search_spaces.settings import SpaceConfig
from nasray.trainables.block_wise.block_data import BlockData, CachedSource
from nasray.trainables.block_wise.rate import CandidateRater
from nasray.trainables.block_wise.step import BlockDistillation
from nasray.trainables.block_wise.supernet import CellSupernet, Path
from nasray.trainables.core.compute import place_module, prepare
from nasray.trainables.data.image_data import ImageData, load_data
from nasray.trainables.features.cache import CachedFeatures, FeatureStore
from nasray.trainables.settings.block_distillation import BlockDistillationConfig, RatingConfig
from nasray.trainables.settings.compute import ComputeConfig
from nasray.trainables.settings.data import DataConfig
from nasray.trainables.settings.features import FeatureConfig

SHAPES = ((3, 224, 224), (48, 56, 56), (80, 28, 28), (160, 14, 14), (224, 14, 14), (384, 7, 7), (640, 7, 7))
NUM_BLOCKS, RATED_BLOCK, EPOCHS = 6, 2, 20
LR, WEIGHT_DECAY = 0.002, 1e-4
_ARMS = ("student", "ours", "teacher", "read")


def main() -> None:
    """Print a row per block, and one each for the whole search and for the rating."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=FilePath, default=os.environ.get("NASRAY_REFERENCE"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.reference is None:
        print("Nothing to compare with: give the repository's folder by --reference, see --help.")
        return
    compute = ComputeConfig(device="cpu", num_threads=arguments.threads)
    prepare(compute)
    released = ReleasedDna(FilePath(arguments.reference) / "DNA")
    with tempfile.TemporaryDirectory() as folder:
        blocks = [
            BlockTimes(released, block, FilePath(folder), compute, arguments.batch_size)
            for block in range(NUM_BLOCKS)
        ]
        for _ in range(arguments.rounds):
            for block in blocks:
                block.take_round()
        print_steps(blocks)
        print_search(blocks, arguments.batch_size)
        print_rating(released, blocks[RATED_BLOCK], arguments.rounds)


class BlockTimes:
    """The steps of a block, theirs and ours, and what they took."""

    def __init__(
        self, released: ReleasedDna, block: int, folder: FilePath, compute: ComputeConfig, batch_size: int
    ) -> None:
        self.block, self.batch_size = block, batch_size
        space = build_space(SpaceConfig(source="dna_one_cell"), SHAPES[0], 1000)
        self.images = load_data(
            DataConfig(image_size=224, num_train_images=4 * batch_size, num_held_out_images=2 * batch_size),
            seed=0,
        )
        self.data = kept_features(self.images, block, folder, compute)
        self.supernet = place_module(compute, supernet_of(space, block), prepare(compute))
        self.seconds: dict[str, list[float]] = {arm: [] for arm in _ARMS}
        self._released, self._optimizer = released, released.optimizer(LR, WEIGHT_DECAY)
        rating = RatingConfig(num_batches=2)
        config = BlockDistillationConfig(
            batch_size=batch_size, lr=LR, weight_decay=WEIGHT_DECAY, loss="mse", rating=rating
        )
        self._method = BlockDistillation(self.supernet, self.data, config, block=block, seed=0, name="block")
        self._batches: Iterator[Pair] = iter(())

    def take_round(self) -> None:
        """A step of each arm."""
        batch = self._timed("read", self._next_batch)
        self._timed("ours", partial(self._method.step, batch))
        contiguous = tuple(tensor.contiguous() for tensor in batch)
        self._timed("student", partial(self._released.train, self.block, [contiguous], self._optimizer))
        images = torch.randn(self.batch_size, *SHAPES[0])
        self._timed("teacher", partial(self._released.teach, self.block, images))

    def median(self, arm: str) -> float:
        """What a step took, in seconds."""
        return statistics.median(self.seconds[arm])

    def _timed(self, arm: str, action: Action) -> object:
        start = time.perf_counter()
        result = action()
        self.seconds[arm].append(time.perf_counter() - start)
        return result

    def _next_batch(self) -> Pair:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self._method.start_epoch(0))
            batch = next(self._batches)
        return batch


def supernet_of(space: SearchSpace, block: int) -> CellSupernet:
    """Ours for a block, as the released settings have it."""
    (cell,) = space.blocks[block].cells
    return CellSupernet(
        space, block, cell, SHAPES[block], SHAPES[block + 1], zero_init=False, always_adapt=False
    )


def kept_features(images: ImageData, block: int, folder: FilePath, compute: ComputeConfig) -> BlockData:
    """A block's data, whose features are kept on disk as a search keeps them; random ones of the teacher's shapes."""
    modes = tuple("cached" if number == block else "online" for number in range(NUM_BLOCKS))
    config = FeatureConfig(mode=modes, dtype="bfloat16")
    kept = []
    for split in (images.train, images.held_out):
        store = FeatureStore(folder, "random", split, (block, block + 1), config, compute)
        for shard in range(store.num_shards):
            store.write_shard(shard, _Random())
        store.finish(_Random)
        kept.append(CachedFeatures(store, _Random))
    return BlockData(images, CachedSource(*kept, block), compute, seed=0)


class _Random(nn.Module):
    """A teacher that makes up its features."""

    def features(self, images: Tensor, up_to: int) -> list[Tensor]:
        return [torch.randn(len(images), *shape) for shape in SHAPES[: up_to + 1]]


def print_steps(blocks: list[BlockTimes]) -> None:
    """Print a row per block: a step of each, and the ratios."""
    print(
        f"{'':10}{'student s':>10}{'ours s':>10}{'ratio':>8}{'step s':>10}{'ours s':>10}{'times':>8}",
        flush=True,
    )
    times, ratios = [], []
    for times_of in blocks:
        student, ours, teacher, read = map(times_of.median, _ARMS)
        ratios.append(ours / student)
        times.append((student + teacher) / (ours + read))
        print(
            f"block {times_of.block + 1:<4}{student:>10.3f}{ours:>10.3f}{ours / student:>8.2f}"
            f"{student + teacher:>10.3f}{ours + read:>10.3f}{times[-1]:>8.1f}",
            flush=True,
        )
    mean, ratio = statistics.mean(times[1:]), statistics.mean(ratios)
    print(f"the step of blocks 2 to 6 on average {mean:.1f} times as fast")
    theirs, mine = (sum(block.median(arm) for block in blocks) for arm in ("student", "ours"))
    seconds = (f"{mine:.2f} s", f"{theirs:.2f} s")
    tell(Verdict("DNA's student step, mean ratio of six blocks", *seconds, ratio, 0.75))
    tell(Verdict("DNA's step with features, blocks 2 to 6, times", "", "", mean, at_least=10))


def print_search(blocks: list[BlockTimes], batch_size: int) -> None:
    """Print what all epochs of all blocks take for an image, ours with the features' one pass."""
    student, ours, teacher, read = (
        sum(times_of.median(arm) for times_of in blocks) / batch_size for arm in _ARMS
    )
    theirs = EPOCHS * (student + teacher)
    once = blocks[-1].median("teacher") / batch_size
    whole = once + EPOCHS * (ours + read)
    tell(
        Verdict(
            f"DNA's search, {EPOCHS} epochs, times",
            f"{whole:.1f} s an image",
            f"{theirs:.1f} s",
            theirs / whole,
            at_least=8,
        )
    )
    print(
        f"{EPOCHS} epochs of all blocks, an image: {theirs:.1f} s, ours {whole:.1f} s: {theirs / whole:.1f} times as "
        "fast"
    )


def print_rating(released: ReleasedDna, block: BlockTimes, rounds: int) -> None:
    """Print what the rating of a candidate takes."""
    rating = RatingConfig(
        num_batches=2,
        calibration_images=2 * block.batch_size,
        calibration_batch_size=2 * block.batch_size,
        swap_in_images=0,
    )
    rater = CandidateRater(block.supernet, block.data, rating)
    features = torch.cat([before for before, _ in block.data.held_out_batches(2)]).contiguous()
    num_layers, rng = len(block.supernet.cell.operations), np.random.default_rng(0)
    theirs, ours = [], []
    for number in range(rounds):
        start = time.perf_counter()
        num_rated = len(rater.rate([Path(0, (number % 6,))]))
        ours.append((time.perf_counter() - start) / num_rated)
        encodings = rng.integers(6, size=(8, num_layers))
        start = time.perf_counter()
        for encoding in encodings:
            released.evaluate(block.block, encoding, features, features)
        theirs.append((time.perf_counter() - start) / len(encodings))
    slow, fast = statistics.median(theirs), statistics.median(ours)
    seconds = (f"{fast:.3f} s", f"{slow:.3f} s")
    tell(Verdict("rating a candidate of 1,296, times", *seconds, slow / fast, at_least=4))
    print(f"rating a candidate: {slow:.3f} s, ours {fast:.3f} s: {slow / fast:.1f} times as fast")


if __name__ == "__main__":
    main()
