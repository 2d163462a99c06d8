"""Memory that tensors leave is kept for the next ones, instead of being given back to the system after every layer."""

import ctypes
from functools import cache

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 2**30
_KEPT_IN_ALL = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, for as long as it lives; where there is no glibc, do nothing.

    A step on a CPU makes and drops the same large maps over and over. By itself glibc gives each of them back, and the
    system hands out pages anew, which it has to clear: a quarter of a step's time in large blocks, for a tenth more
    memory (`benchmarks/allocation.py`).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_TRIM_THRESHOLD, _KEPT_IN_ALL)
