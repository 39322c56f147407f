"""Initial weights."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kdq_ref.errors import InvalidArgumentError
from kdq_ref.nn.init import SCHEMES, draw

VARIANCES = {"he": 2 / 50, "he_uniform": 2 / 50, "glorot": 2 / 80, "glorot_uniform": 2 / 80}


@pytest.mark.parametrize("init", SCHEMES)
def test_variance_and_range(init):
    """Mean 0 and the published variance over 60,000 draws; the uniform ones are bounded."""
    w = draw((300, 200), 50, 30, init, np.random.default_rng(0))
    assert w.dtype == np.float32
    assert w.shape == (300, 200)
    variance = VARIANCES[init]
    assert abs(w.mean()) < 5 * np.sqrt(variance / w.size)
    assert abs(w.var() / variance - 1) < 0.03
    if init.endswith("uniform"):
        limit = np.sqrt(3 * variance)
        assert 0.999 * limit < np.abs(w).max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize("init", SCHEMES)
def test_a_seed_repeats(init):
    """The same generator state draws the same weights."""
    one, two = (draw((4, 4), 4, 4, init, np.random.default_rng(7)) for _ in range(2))
    assert_array_equal(one, two)


def test_unknown_scheme():
    """The message lists what there is."""
    with pytest.raises(InvalidArgumentError, match=r"he_uniform, glorot.*got 'xavier'"):
        draw((1, 1), 1, 1, "xavier", np.random.default_rng(0))
