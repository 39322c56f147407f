"""Calls of convolutions are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.geometry import window_output
from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.images import (
    Geometry,
    convolution,
    convolution_drawn,
    convolution_grid,
    convolution_sweep,
)
from kdq_ref.verify.kernel.values import RandomChooser

RULE = RULES["double_rounding"]


def _chooser(seed: int = 0) -> RandomChooser:
    return RandomChooser(np.random.default_rng([seed]))


def test_sizes_follow_from_the_geometry() -> None:
    """Output sizes are those of the window; padding below and right is implied."""
    g = Geometry(size=(7, 8), kernel=(3, 2), stride=(2, 1), padding=(1, 0, 0, 2), channels=(4, 6))
    problem = convolution(_chooser(), get_abi("conv2d_s8"), RULE, g, "")
    out = window_output(g.size, g.kernel, g.stride, g.padding)
    assert (problem.sizes["out_h"], problem.sizes["out_w"]) == out
    assert problem.inputs["weight"].shape == (3, 2, 4, 6)
    assert problem.rows == out[0] * out[1]


def test_a_depthwise_call_has_a_group_per_channel() -> None:
    """Its second number of channels is the outputs of each."""
    g = Geometry(channels=(4, 3))
    problem = convolution(_chooser(), get_abi("depthwise_s8"), RULE, g, "")
    assert (problem.sizes["groups"], problem.channels) == (4, 12)
    assert problem.inputs["weight"].shape == (3, 3, 1, 12)


@pytest.mark.parametrize("name", ["conv2d_s8", "depthwise_s8"])
def test_drawn_windows_fit(name: str) -> None:
    """Every output has at least one position."""
    for seed in range(40):
        problem = convolution_drawn(_chooser(seed), get_abi(name), RULE)
        assert min(problem.sizes["out_h"], problem.sizes["out_w"]) >= 1


@pytest.mark.parametrize("name", ["conv2d_s8", "depthwise_s8"])
def test_the_grid_has_strides_dilations_padding_and_batches(name: str) -> None:
    """Each other than 1, alone; zero points at both ends."""
    problems = convolution_grid(_chooser(), get_abi(name), RULE)
    for size in ("stride_h", "stride_w", "dilation_h", "dilation_w", "batch"):
        assert any(p.sizes[size] > 1 for p in problems)
    assert any(p.sizes["pad_top"] != p.sizes["pad_left"] for p in problems)
    assert {-128, 127} <= {p.zero_point for p in problems}


def test_a_sweep_is_one_row_of_pixels() -> None:
    """With every code, under every multiplier."""
    real = np.full(5, 0.125)
    problem = convolution_sweep(np.random.default_rng([1]), get_abi("conv2d_s8"), RULE, real, 256)
    assert (problem.rows, problem.channels) == (256, 5)
    assert set(problem.data.ravel().tolist()) == set(range(-128, 128))
