"""Pair sums that saturate."""

from __future__ import annotations

import numpy as np

from kdq_ref.verify.accumulators import exact_product
from kdq_ref.verify.dialects.pairs import saturating_product


def test_pairs_saturate_and_their_sum_does_not() -> None:
    """From the first K on, in twos, before the zero point; a last one alone never saturates."""
    columns = np.full((1, 1, 5), 255, np.uint8)
    weights = np.array([127, 127, -127, -127, 127], np.int8).reshape(1, 5, 1)
    expected = 32767 - 32768 + 255 * 127
    assert saturating_product(columns, weights, 0).item() == expected
    assert saturating_product(columns, weights, 3).item() == expected - 3 * 127
    # The same weights in another order: no pair leaves int16.
    turned = weights[:, [0, 2, 1, 3, 4]]
    assert saturating_product(columns, turned, 0).item() == 255 * 127


def test_weights_in_seven_bits_never_saturate() -> None:
    """2 * 255 * 64 = 32640 fits int16."""
    rng = np.random.default_rng(0)
    columns = rng.choice([0, 255], (2, 20, 33)).astype(np.uint8)
    weights = rng.choice([-64, 64], (2, 33, 7)).astype(np.int8)
    np.testing.assert_array_equal(
        saturating_product(columns, weights, 9), exact_product(columns, weights, 9)
    )
