"""Models of wrong operands and stores, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kdq_ref.rounding import RULES
from kdq_ref.verify.kernel.abi import get_abi
from kdq_ref.verify.kernel.defects import Defect, operand_defects, store_defects
from kdq_ref.verify.kernel.pipeline import compute
from kdq_ref.verify.kernel.problem import GAP, Problem, Scaling

S32, U32 = get_abi("gemm_s8s8s32"), get_abi("gemm_u8s8s32")


def _product(a: list, b: list | np.ndarray, *, abi=S32, gap: int = 0) -> Problem:
    first, second = np.array(a, abi.data), np.array(b, np.int8)
    m, k, n = *first.shape, second.shape[1]
    sizes = {"m": m, "n": n, "k": k, "lda": k + gap, "ldb": n + gap, "ldc": n + gap}
    return Problem(abi, "", sizes | {"a_zero_point": 0}, {"a": first, "b": second})


def _result(words: str, problem: Problem, fill: int = 0) -> list[int]:
    """What the model with these words leaves in an output that held ``fill``."""
    (defect,) = _named(words, problem)
    memory = np.full(problem.output_size, fill, problem.abi.output)
    return compute(problem, memory, defect.steps).tolist()


def _named(words: str, problem: Problem) -> list[Defect]:
    found = [d for d in operand_defects() + store_defects() if words in d.words]
    return [d for d in found if d.applies(problem.abi)][:1]


@pytest.mark.parametrize(
    ("words", "a", "b", "wanted"),
    [
        ("-128 is handled as -127", [[-128]], [[2]], [-254]),
        ("data are read as unsigned", [[-1]], [[2]], [510]),
        ("weights are read as unsigned", [[2]], [[-1]], [510]),
        ("K not a multiple of 2", [[1, 1, 1]], [[1], [2], [4]], [3]),
        ("last product", [[1, 1, 1]], [[1], [2], [4]], [3]),
        ("first product", [[1, 1, 1]], [[1], [2], [4]], [6]),
    ],
)
def test_operands_that_are_read_wrongly(words: str, a: list, b: list, wanted: list) -> None:
    """One product each."""
    assert _result(words, _product(a, b)) == wanted


def test_unsigned_data_read_as_signed() -> None:
    """255 becomes -1."""
    assert _result("data are read as signed", _product([[255]], [[3]], abi=U32)) == [-3]


def test_ignored_strides() -> None:
    """Rows follow each other, the gap's bytes among them."""
    problem = _product([[1], [2]], [[1]], gap=1)
    assert _result("row stride of A", problem)[::2] == [1, GAP]
    assert _result("row stride of the output", problem, fill=9) == [1, 2, 9]


def test_what_is_not_written_stays() -> None:
    """The last row, columns, everything when K is 0; or it is added to."""
    problem = _product([[1], [2], [3]], [[1, 10, 100]])
    assert _result("the last row", problem, 7) == [1, 10, 100, 2, 20, 200, 7, 7, 7]
    assert _result("columns beyond a multiple of 2", problem, 7)[:3] == [1, 10, 7]
    assert _result("it adds to", problem, 7)[:3] == [8, 17, 107]
    empty = _product([[], []], np.zeros((0, 2), np.int8))
    assert _result("K is 0", empty, 7) == [7] * 4


def _image(**changes) -> Problem:
    """A 3x3 window over a 3x3 image of zero point 5, of which one output is computed."""
    sizes = {
        "batch": 1,
        "in_h": 3,
        "in_w": 3,
        "in_c": 1,
        "out_h": 1,
        "out_w": 1,
        "out_c": 1,
        "kernel_h": 3,
        "kernel_w": 3,
        "stride_h": 1,
        "stride_w": 1,
        "dilation_h": 1,
        "dilation_w": 1,
        "pad_top": 0,
        "pad_left": 0,
        "groups": 1,
        "x_zero_point": 5,
    } | changes
    inputs = {
        "x": np.arange(9, dtype=np.int8).reshape(1, 3, 3, 1),
        "weight": np.array([1] + [0] * 8, np.int8).reshape(3, 3, 1, 1),
    }
    scaling = Scaling(RULES["single_rounding"], np.array([1.0]), 0, -128, 127)
    return Problem(get_abi("conv2d_s8"), "", sizes, inputs, scaling)


@pytest.mark.parametrize(
    ("words", "geometry", "wanted"),
    [
        ("the window is flipped", {}, 8 - 5),
        ("the input's zero point has the wrong sign", {}, 0 + 5),
        ("the input's zero point is ignored", {}, 0),
        ("padding counts as code 0", {"pad_top": 1}, 0 - 5),
        ("pad_top and pad_left are ignored", {"pad_top": 1}, 0 - 5),
        ("vertical and horizontal paddings", {"pad_top": -1 + 1, "pad_left": 1}, 0),
    ],
)
def test_windows_that_are_read_wrongly(words: str, geometry: dict, wanted: int) -> None:
    """The only weight that is not 0 is the first: the output is one input, minus 5."""
    assert _result(words, _image(**geometry)) == [wanted]


def test_a_defect_applies_where_it_can_show() -> None:
    """No windows in products, no unsigned reading of unsigned data."""
    products = {d.name for d in operand_defects() if d.applies(U32)}
    assert "kernel_flipped" not in products
    assert "data_as_unsigned" not in products
    assert not any(d.applies(get_abi("requantize")) for d in operand_defects())
