"""Seeds derived from names, so that nothing depends on what ran before or beside it."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(seed: int, *parts: str | int) -> int:
    """A 63-bit seed that depends on `seed` and on each of `parts`, and on nothing else."""
    text = "/".join([str(seed), *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """A NumPy generator of its own for the thing that `parts` names."""
    return np.random.default_rng(derive_seed(seed, *parts))


def seed_global_generators(seed: int, *parts: str | int) -> None:
    """Set the global generators of Python, NumPy and torch, for code that draws from them (dropout, initialisation)."""
    derived = derive_seed(seed, *parts)
    random.seed(derived)
    np.random.seed(derived % 2**32)  # noqa: NPY002 - users' modules may draw from the legacy generator
    torch.manual_seed(derived)


@contextmanager
def global_generators_seeded(seed: int, *parts: str | int) -> Iterator[None]:
    """Within, the CPU's global generators start from a seed of their own; behind it they go on as if unused."""
    derived = derive_seed(seed, *parts)
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - as in `seed_global_generators`
    try:
        with torch.random.fork_rng(devices=[]):
            random.seed(derived)
            np.random.seed(derived % 2**32)  # noqa: NPY002
            torch.default_generator.manual_seed(
                derived
            )  # torch.manual_seed would reset the GPUs' generators, too
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
