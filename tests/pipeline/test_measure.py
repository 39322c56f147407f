"""Measurements measure what they say."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from kdq_ref.pipeline import measure


def test_time_is_per_image() -> None:
    """A call of 5 ms over 10 images is at least 500 microseconds each."""
    calls = []

    def slow(x: np.ndarray) -> None:
        calls.append(len(x))
        time.sleep(0.005)

    assert measure.us_per_image(slow, np.zeros((10, 1))) >= 500
    assert set(calls) == {10}


def test_peak_memory_counts_bytes() -> None:
    """Touching 50 MB shows as at least that much."""
    pytest.importorskip("resource")
    block = np.ones(50_000_000, np.uint8)
    peak = measure.peak_memory_bytes()
    assert peak is not None
    assert peak > block.nbytes


def test_peak_memory_may_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has no module ``resource`` on Windows."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert measure.peak_memory_bytes() is None


def test_the_machine_has_a_name() -> None:
    """Figures without a machine mean nothing."""
    report = measure.machine_report()
    assert report["cpu"]
    assert report["numpy"] == np.__version__
