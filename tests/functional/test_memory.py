"""Reuse of freed memory."""

from __future__ import annotations

import platform
import resource

import numpy as np
import pytest

from kdq_ref.functional.memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc works this way")
def test_freed_pages_are_used_again():
    """After the call, an array of 16 MiB (4096 pages) allocated anew faults hardly any page in."""
    keep_freed_memory()
    size = 16 << 20
    np.ones(size, np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(size, np.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 4096
