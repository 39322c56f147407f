"""PyTorch's own answers."""

from __future__ import annotations

import numpy as np
import pytest
from strategies.dialects import dense_network, installed

from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.network import Encoding, Network, Node, Weight

_NAMES = ("pytorch-fbgemm", "pytorch-onednn", "pytorch-qnnpack")


@pytest.mark.parametrize("name", _NAMES)
def test_a_product_by_hand(name: str) -> None:
    """(200 - 100) * 3 + (90 - 100) * 5 + 10 = 260, halved is 130; plus the zero point 7."""
    network = dense_network(
        [[3], [5]],
        source=Encoding("uint8", 1.0, 100),
        output=Encoding("uint8", 2.0, 7),
        bias=np.array([10], np.int32),
    )
    result = installed(name).run(network, {"x": np.array([[200, 90]], np.uint8)})
    assert result["y"].tolist() == [[137]]


@pytest.mark.parametrize("name", _NAMES)
def test_images_come_back_channels_last_and_clamped(name: str) -> None:
    """A 1x1 convolution that copies its channels, clamped to [0, 6]: codes 10 to 22."""
    encoding = Encoding("uint8", 0.5, 10)
    weight = Weight(np.eye(3, dtype=np.int8)[None, None], np.ones(1, np.float32))
    node = Node("y", "conv2d", ("x",), encoding, weight=weight, clamp=(0.0, 6.0))
    network = Network({"x": encoding}, {"x": (4, 5, 3)}, (node,), "y")
    codes = np.arange(120, dtype=np.uint8).reshape(2, 4, 5, 3)
    result = installed(name).run(network, {"x": codes})["y"]
    np.testing.assert_array_equal(result, np.clip(codes, 10, 22))


def test_the_engine_is_put_back() -> None:
    """Whatever happens inside: the process belongs to others, too."""
    oracle = installed("pytorch-qnnpack")
    import torch

    before = torch.backends.quantized.engine, torch.get_num_threads()
    with pytest.raises(UnsupportedError, match="stores activations as uint8"):
        oracle.run(dense_network([[1]]), {"x": np.zeros((1, 1), np.int8)})
    assert (torch.backends.quantized.engine, torch.get_num_threads()) == before


def test_what_would_corrupt_memory_is_refused() -> None:
    """3x3 convolutions of three groups of four channels abort the process in torch 2.13."""
    oracle = installed("pytorch-fbgemm")
    encoding = Encoding("uint8", 1.0, 0)
    weight = Weight(np.zeros((3, 3, 4, 12), np.int8), np.ones(1, np.float32))
    node = Node(
        "y",
        "conv2d",
        ("x",),
        encoding,
        weight=weight,
        stride=(2, 2),
        padding=(1, 1, 1, 1),
        groups=3,
    )
    network = Network({"x": encoding}, {"x": (5, 3, 12)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="corrupts memory for 3 groups"):
        oracle.run(network, {"x": np.zeros((1, 5, 3, 12), np.uint8)})


def test_pooling_keeps_its_scale() -> None:
    """Asked for another, the operator is refused."""
    node = Node("y", "avg_pool2d", ("x",), Encoding("uint8", 2.0, 0), kernel=(2, 2))
    network = Network({"x": Encoding("uint8")}, {"x": (2, 2, 1)}, (node,), "y")
    with pytest.raises(UnsupportedError, match="avg_pool2d keeps the scale"):
        installed("pytorch-fbgemm").run(network, {"x": np.zeros((1, 2, 2, 1), np.uint8)})
