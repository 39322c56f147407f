"""Quantization specs as plain data."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies.networks import quantized_networks

from kdq_ref.errors import InvalidArgumentError, RangeError
from kdq_ref.quant import QuantParams, QuantSpec

_SPEC = QuantSpec(
    activations={"input": QuantParams(0.5, -3)},
    weights={"dense": (0.25, 1.0)},
    granularity="per_channel",
    observer={"name": "percentile", "percentile": 99.99},
)


@given(quantized_networks())
def test_a_spec_survives_json(drawn: tuple[Any, QuantSpec]) -> None:
    """To text and back gives an equal spec, to the last bit of every scale."""
    _, spec = drawn
    assert QuantSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


_JUNK = st.sampled_from([None, 3, "x", [], {}, [None], {"scale": 1.0}, float("nan"), {"x": "y"}])


@given(st.data())
def test_damaged_entries_are_a_typed_error(data: st.DataObject) -> None:
    """Junk in place of any part either fails with a typed error or still is a spec."""
    entries = copy.deepcopy(_SPEC.to_dict())
    parts: list[tuple[Any, Any]] = [(entries, key) for key in entries]
    parts += [
        (entries["activations"], "input"),
        (entries["activations"]["input"], "scale"),
        (entries["activations"]["input"], "zero_point"),
        (entries["weights"], "dense"),
        (entries["weights"]["dense"], 0),
    ]
    holder, key = data.draw(st.sampled_from(parts))
    holder[key] = data.draw(_JUNK)
    with contextlib.suppress(InvalidArgumentError):
        assert isinstance(QuantSpec.from_dict(entries), QuantSpec)


@pytest.mark.parametrize("key", ["activations", "weights", "granularity", "observer"])
def test_missing_and_unknown_keys_are_refused(key: str) -> None:
    """A spec has exactly its keys."""
    entries = _SPEC.to_dict()
    value = entries.pop(key)
    with pytest.raises(InvalidArgumentError, match="keys"):
        QuantSpec.from_dict(entries)
    with pytest.raises(InvalidArgumentError, match="keys"):
        QuantSpec.from_dict({**entries, key: value, "more": 1})


def test_useless_scales_are_refused() -> None:
    """No scale at all, or one that is not a float32."""
    with pytest.raises(InvalidArgumentError, match="no scale"):
        QuantSpec({}, {"dense": ()}, "per_tensor", {})
    with pytest.raises(RangeError, match="exactly a float32"):
        QuantSpec({}, {"dense": (0.1,)}, "per_tensor", {})
