"""How the C library hands out memory for large arrays."""

from __future__ import annotations

import numpy as np

_LARGEST = 31 << 20


def keep_freed_memory() -> None:
    """Let the process reuse the memory of freed arrays up to 31 MiB.

    glibc gives every large array fresh pages from the kernel, which cost more than most operations
    on it: a third of a training step. When an array is freed it raises that limit to the array's
    size, 32 MiB at most, so freeing one array (never touched, so it costs nothing) is enough. Call
    it once before training. Without effect on other C libraries.
    """
    np.empty(_LARGEST, np.uint8)
