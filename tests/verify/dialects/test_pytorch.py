"""What PyTorch's quantized operators compute."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import agrees, dense_network, same_as_the_runtime

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.dialects.pytorch import (
    DIALECTS,
    quantize_alone,
    quantize_fused,
    quantize_vectors,
)
from kdq_ref.verify.network import Encoding, Network, Node
from kdq_ref.verify.samples import OPERATORS


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", DIALECTS)
def test_it_is_what_the_runtime_computes(name: str, operator: str) -> None:
    """Bit for bit; an operator that is not reproduced has the evidence in its note."""
    dialect = DIALECTS[name]
    if operator not in dialect.operators:
        assert any(character.isdigit() for character in dialect.notes[operator])
        return
    agrees(name, operator, outputs=20_000)


def test_the_three_ways_to_quantize_differ_at_ties() -> None:
    """2.5 at zero point 1: 2 + 1, or rne(3.5) = 4; fused, nothing is rounded in between."""
    encoding = Encoding("uint8", 0.5, 1)
    x = np.array([1.25], np.float32)
    assert quantize_vectors(x, encoding).item() == 3
    assert quantize_alone(x, encoding).item() == 4
    assert quantize_fused(x, encoding).item() == 4
    # 120.5 and a 2^-17 of it: lost when 128 is added in float32, kept when fused.
    near = np.array([120.5 - 2.0**-17], np.float32)
    unit = Encoding("uint8", 1.0, 128)
    assert (quantize_alone(near, unit).item(), quantize_vectors(near, unit).item()) == (248, 248)


def test_the_inverse_of_the_scale_is_a_float32() -> None:
    """FBGEMM's own example: 0.273939937 / 0.00214854861 is 127.499992, the product is 127.5."""
    encoding = Encoding("uint8", float(np.float32(0.00214854861)), 0)
    assert quantize_vectors(np.array([0.273939937], np.float32), encoding).item() == 128


def test_the_bias_is_a_float() -> None:
    """832 - 512 = 320 steps are 7.5 and round to 8; times a float32 inverse, -512 is a bit more."""
    network = dense_network(
        [[64]],
        scale=0.3125,
        source=Encoding("uint8", 0.01171875, 87),
        output=Encoding("uint8", 0.15625, 9),
        bias=np.array([-512], np.int32),
    )
    codes = {"x": np.array([[100]], np.uint8)}
    assert get_dialect("onnxruntime").run(network, codes)["y"].item() == 8 + 9
    assert get_dialect("pytorch-fbgemm").run(network, codes)["y"].item() == 7 + 9


def test_a_lone_element_is_dequantized_another_way() -> None:
    """Elements beyond the last block of 64 take the path of scalars; the position decides."""
    half = Encoding("uint8", 1.0, 0)
    node = Node("y", "add", ("a", "b"), Encoding("uint8", 2.0, 1))
    network = Network({"a": half, "b": half}, {"a": (65,), "b": (65,)}, (node,), "y")
    ones = np.full((1, 65), 1, np.uint8)
    values = get_dialect("pytorch-fbgemm").run(network, {"a": 4 * ones, "b": ones})["y"][0]
    # 5 / 2 + 1: a block rounds 2.5 to 2 and adds 1; the last element rounds 3.5 to 4.
    assert values.tolist() == [3] * 64 + [4]


def test_beyond_int32_a_block_wraps_around() -> None:
    """Steps are clamped to 2**31 - 128, and a zero point of 128 makes that INT_MIN; measured."""
    huge = Encoding("uint8", 2.0**20, 0)
    for zero_point, value in ((127, 255), (128, 0)):
        node = Node("y", "add", ("a", "b"), Encoding("uint8", 2.0**-10, zero_point))
        network = Network({"a": huge, "b": huge}, {"a": (65,), "b": (65,)}, (node,), "y")
        codes = {name: np.full((1, 65), 200, np.uint8) for name in "ab"}
        values = get_dialect("pytorch-fbgemm").run(network, codes)["y"][0]
        assert values.tolist() == [value] * 64 + [255]
        same_as_the_runtime("pytorch-fbgemm", network, codes)


def test_qnnpack_counts_padding() -> None:
    """A corner of a padded 3x3 window has four of nine positions: 90 becomes 40."""
    encoding = Encoding("uint8", 1.0, 0)
    node = Node("y", "avg_pool2d", ("x",), encoding, kernel=(3, 3), padding=(1, 1, 1, 1))
    network = Network({"x": encoding}, {"x": (3, 3, 1)}, (node,), "y")
    codes = {"x": np.full((1, 3, 3, 1), 90, np.uint8)}
    qnnpack = get_dialect("pytorch-qnnpack").run(network, codes)["y"][0, :, :, 0]
    assert qnnpack.tolist() == [[40, 60, 40], [60, 90, 60], [40, 60, 40]]
    fbgemm = get_dialect("pytorch-fbgemm").run(network, codes)["y"]
    assert np.unique(fbgemm).tolist() == [90]


def test_qnnpack_adds_half_away_from_zero() -> None:
    """-1.5 and 1.5 become -2 and 2; where C leaves the shift undefined, it is refused."""
    source = Encoding("uint8", 0.5, 100)
    for scale in (1.0, 2.0**-1 * 2.0**20):
        node = Node("y", "add", ("a", "b"), Encoding("uint8", scale, 100))
        network = Network({"a": source, "b": source}, {"a": (2,), "b": (2,)}, (node,), "y")
        codes = {"a": np.array([[98, 102]], np.uint8), "b": np.array([[99, 101]], np.uint8)}
        run = get_dialect("pytorch-qnnpack").run
        if scale == 1.0:
            assert run(network, codes)["y"].tolist() == [[98, 102]]
        else:
            with pytest.raises(UnsupportedError, match="shifts a sum of 32 bits by 41"):
                run(network, codes)
