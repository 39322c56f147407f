"""Models of wrong requantization, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.problem import Problem, Scaling
from kdq_ref.verify.kernel.scale_defects import OTHER_RULE, finish_defects, scale_defects


def _result(
    words: str,
    acc: list[int],
    real: float | list[float] = 0.5,
    *,
    bias: list[int] | None = None,
    rule: str = "single_rounding",
    zero_point: int = 0,
    clamp: tuple[int, int] = (-128, 127),
) -> list[int]:
    channels = len(acc)
    sizes = {"rows": 1, "channels": channels, "ld_acc": channels, "ld_y": channels}
    inputs = {"acc": np.array([acc], np.int32)}
    if bias is not None:
        inputs["bias"] = np.array(bias, np.int32)
    scaling = Scaling(RULES[rule], np.atleast_1d(real).astype(float), zero_point, *clamp)
    problem = Problem(get_abi("requantize"), "", sizes, inputs, scaling)
    found = [d for d in scale_defects() + finish_defects() if words in d.words]
    return compute(problem, np.zeros(channels, np.int8), found[0].steps).tolist()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("rounds down: the rounding term is missing", [-2, -1, 0, 0, 1]),
        ("truncates towards zero", [-1, 0, 0, 0, 1]),
        ("exact product half away", [-2, -1, 0, 1, 2]),
        ("exact product half to even", [-2, 0, 0, 0, 2]),
        ("in float32, ties away", [-2, -1, 0, 1, 2]),
        ("in float32, half added", [-2, -1, 0, 1, 2]),
        ("in float32, ties up", [-1, 0, 0, 1, 2]),
        ("in float32, truncated", [-1, 0, 0, 0, 1]),
        ("in float32, ties to even", [-2, 0, 0, 0, 2]),
    ],
)
def test_roundings_of_halves(words: str, wanted: list[int]) -> None:
    """-3/2, -1/2, 0, 1/2, 3/2."""
    assert _result(words, [-3, -1, 0, 1, 3]) == wanted


def test_two_roundings() -> None:
    """acc = -2, M = 1/4: h = -1 at shift 1 is a tie; acc = 1: h is 1 rounded, 0 cut off."""
    assert _result("with ties up", [-2, 1], 0.25, rule="double_rounding") == [0, 1]
    assert _result("`single_rounding`", [-2, 1], 0.25, rule="double_rounding") == [0, 0]
    assert _result("rounds to 32 bits, then down", [-2, 1, 3], 0.25) == [-1, 0, 1]
    assert _result("rounds down twice", [-2, 1, 3], 0.25) == [-1, 0, 0]
    assert _result("rounds down to 32 bits, then half up", [-2, 1, 3], 0.25) == [0, 0, 1]


def test_biases() -> None:
    """acc = 10, bias 4 and 8, M = 1/2."""
    options = {"acc": [10, 10], "bias": [4, 8]}
    assert _result("the bias is added after", **options) == [5 + 4, 5 + 8]
    assert _result("the bias is ignored", **options) == [5, 5]
    assert _result("the bias is subtracted", **options) == [3, 1]
    assert _result("the bias is added twice", **options) == [9, 13]
    assert _result("gets the bias of channel 0", **options) == [7, 7]
    assert _result("get the next one's bias", **options) == [9, 9]
    assert _result("get the previous one's bias", **options) == [7, 7]


def test_constants() -> None:
    """M = 1/2 and 1/4; a left shift."""
    options = {"acc": [16, 16], "real": [0.5, 0.25]}
    assert _result("constants of channel 0", **options) == [8, 8]
    assert _result("scaled by the next one's", **options) == [4, 4]
    assert _result("scaled by the previous one's", **options) == [8, 8]
    assert _result("the shift is one too many", **options) == [4, 2]
    assert _result("the shift is one too few", **options) == [16, 8]
    assert _result("left shifts", [10, 10], [3.0, 0.75]) == [8, 8]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("the output's zero point has the wrong sign", [-60, 90]),
        ("the output's zero point is ignored", [-60, 100]),
        ("the clamp comes before the zero point", [-50, 110]),
        ("qmin and qmax are ignored", [-90, 127]),
        ("wrap around instead of saturating", [-60, -46]),
        ("there is no clamp", [-90, -46]),
        ("qmin is ignored", [-90, 100]),
        ("qmax is ignored", [-60, 127]),
    ],
)
def test_zero_points_and_clamps(words: str, wanted: list[int]) -> None:
    """-100 and 200 with zero point 10 and the clamp [-60, 100]; wrong signs give -110, 190."""
    got = _result(words, [-200, 400], zero_point=10, clamp=(-60, 100))
    if "wrong sign" in words:
        wanted = [-60, 100]
        assert _result(words, [40, 60], zero_point=10) == [10, 20]
    assert got == wanted


def test_codes_that_are_never_reached() -> None:
    """-128 becomes -127."""
    assert _result("never reach -128", [-999, -20]) == [-127, -10]


def test_every_rule_is_a_model() -> None:
    """Under its own name."""
    names = {d.name for d in scale_defects()}
    assert {OTHER_RULE + name for name in RULES} <= names
    assert not any(d.applies(get_abi("gemm_s8s8s32")) for d in scale_defects())
