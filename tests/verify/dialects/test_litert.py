"""What LiteRT computes, in its three forms."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import agrees, dense_network, installed
from strategies.tflite_networks import NETWORKS, assert_network, assert_wide

from kdq_ref.verify.check import check
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.litert import DIALECTS
from kdq_ref.verify.samples import OPERATORS


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", DIALECTS)
def test_it_is_what_the_runtime_computes(name: str, operator: str) -> None:
    """Bit for bit, on samples that aim at ties, extremes, tiny and huge multipliers."""
    agrees(name, operator)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", DIALECTS)
def test_whole_networks(name: str, kind: str) -> None:
    """A student, a residual and a depthwise net, every value that the runtime gives."""
    assert_network(name, kind)


@pytest.mark.parametrize("operator", ["dense", "conv2d", "depthwise_conv2d"])
@pytest.mark.parametrize("name", DIALECTS)
def test_activations_of_int16(name: str, operator: str) -> None:
    """Biases and accumulators of int64, ties included."""
    assert_wide(name, operator)


def test_the_forms_are_not_each_other() -> None:
    """The comparison sees every difference that a name stands for: it could fail."""
    for runtime in DIALECTS:
        oracle = installed(runtime)
        for name in DIALECTS:
            (row,) = check(get_dialect(name), oracle, ("dense",), outputs=150_000)
            assert (row.mismatches == 0) == (name == runtime)


def test_one_tie_tells_all_three() -> None:
    """acc / 4 of 2, -2, 6 and -6, that is +-0.5 and +-1.5."""
    network = dense_network([[1]], scale=0.25)
    codes = {"x": np.array([[2], [-2], [6], [-6]], np.int8)}
    found = {name: get_dialect(name).run(network, codes)["y"].ravel().tolist() for name in DIALECTS}
    assert found == {
        "litert": [0, 0, 2, -2],
        "litert-builtin": [1, 0, 2, -1],
        "litert-reference": [1, -1, 2, -2],
    }
