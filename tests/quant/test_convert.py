"""Quantizing in one call."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies.networks import inputs, networks

from kdq_ref import infer
from kdq_ref.quant import calibrate, fold_batch_norm, lower, quantize


@given(st.data())
def test_quantize_is_fold_calibrate_lower(data: st.DataObject) -> None:
    """One call gives the codes of the three."""
    graph = data.draw(networks(batch_norm=True))
    x = data.draw(inputs(graph))
    folded = fold_batch_norm(graph)
    expected = lower(folded, calibrate(folded, [x], weights="per_tensor"), "float32_rne")
    found = quantize(graph, [x], weights="per_tensor", rule="float32_rne")
    np.testing.assert_array_equal(infer.run(found, x), infer.run(expected, x))
