"""The base class of layers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kdq_ref import nn
from kdq_ref.errors import ShapeError
from kdq_ref.nn.layer import expect_image


@pytest.fixture
def layer() -> nn.Layer:
    """A layer with parameters and buffers."""
    return nn.BatchNorm(3)


def test_copies_share_no_array(layer):
    """Neither `copy` nor `astype`, even to the same dtype."""
    for twin in (layer.copy(), layer.astype(np.float32)):
        assert type(twin) is type(layer)
        for mine, theirs in ((layer.params, twin.params), (layer.buffers, twin.buffers)):
            assert mine.keys() == theirs.keys()
            for key, value in mine.items():
                assert_array_equal(value, theirs[key])
                assert not np.shares_memory(value, theirs[key])


def test_astype_changes_every_array(layer):
    """Parameters and buffers, and not the original."""
    twin = layer.astype(np.float64)
    assert {v.dtype for v in (*twin.params.values(), *twin.buffers.values())} == {np.dtype("f8")}
    assert layer.params["gamma"].dtype == np.float32


def test_repr_shows_the_configuration(layer):
    """As a call that builds it."""
    assert repr(layer) == "BatchNorm(channels=3, eps=1e-05, momentum=0.1)"


def test_expect_image():
    """Height, width, channels, or what is wrong."""
    layer = nn.GlobalAvgPool()
    assert expect_image(layer, (2, 3, 4), 4) == (2, 3, 4)
    with pytest.raises(ShapeError, match="GlobalAvgPool reads images"):
        expect_image(layer, (2, 3))
    with pytest.raises(ShapeError, match="built for 5 channels"):
        expect_image(layer, (2, 3, 4), 5)


def test_the_base_class_computes_nothing():
    """Subclasses bring both halves."""
    with pytest.raises(NotImplementedError):
        nn.Layer().forward(np.ones(1))
    with pytest.raises(NotImplementedError):
        nn.Layer().backward(np.ones(1), None)
