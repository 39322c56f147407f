"""ONNX Runtime's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network, installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node


def test_a_product_by_hand() -> None:
    """(200 - 100) * 3 + (90 - 100) * 5 = 250, halved is 125; plus the output's zero point."""
    network = dense_network(
        [[3], [5]],
        source=Encoding("uint8", 1.0, 100),
        output=Encoding("uint8", 2.0, 7),
    )
    for name in ("onnxruntime", "onnxruntime-exact"):
        result = installed(name).run(network, {"x": np.array([[200, 90]], np.uint8)})
        assert result["y"].tolist() == [[132]]


def test_only_the_default_saturates() -> None:
    """255 * 127 * 2 = 64770 saturates to 32767 where pair sums are int16."""
    network = dense_network(
        [[127], [127]], source=Encoding("uint8"), output=Encoding("uint8", 512.0, 0)
    )
    codes = {"x": np.full((8, 2), 255, np.uint8)}
    exact = installed("onnxruntime-exact").run(network, codes)["y"]
    assert np.unique(exact).tolist() == [round(64770 / 512)]
    default = installed("onnxruntime").run(network, codes)["y"]
    assert set(np.unique(default)) <= {round(64770 / 512), round(32767 / 512)}


def test_every_node_answers() -> None:
    """Values in between come along with the output."""
    encoding = Encoding("int8", 0.5, -3)
    nodes = (
        Node("a", "max_pool2d", ("x",), encoding, kernel=(2, 2)),
        Node("b", "flatten", ("a",), encoding),
    )
    network = Network({"x": encoding}, {"x": (3, 3, 2)}, nodes, "b")
    codes = np.random.default_rng(0).integers(-128, 128, (2, 3, 3, 2)).astype(np.int8)
    values = installed("onnxruntime").run(network, {"x": codes})
    assert values["a"].shape == (2, 2, 2, 2)
    np.testing.assert_array_equal(values["b"], values["a"].reshape(2, 8))


def test_a_refusal_is_quoted() -> None:
    """A scale that the global average cannot take is refused in the runtime's own words."""
    network = Network(
        {"x": Encoding("uint8", 1.0)},
        {"x": (2, 2, 1)},
        (Node("y", "global_avg_pool", ("x",), Encoding("uint8", 2.0**-12)),),
        "y",
    )
    with pytest.raises(UnsupportedError, match=r"refuses to run the model: .*computation range"):
        installed("onnxruntime").run(network, {"x": np.zeros((1, 2, 2, 1), np.uint8)})
