"""A dialect beside its runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from kdq_ref import kernels
from kdq_ref.errors import UnsupportedError
from kdq_ref.verify.check import check, different
from kdq_ref.verify.dialect import Dialect
from kdq_ref.verify.dialects import get_dialect
from kdq_ref.verify.network import Network

_DIALECT = get_dialect("onnxruntime")


@pytest.fixture(autouse=True)
def _avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the comparison, and hold on every processor."""
    report = kernels.IsaReport("avx2", "", ("AVX2",), ())
    monkeypatch.setattr(kernels, "isa_report", lambda: report)


class Echo:
    """A runtime that computes what the dialect computes, spoilt as the test says."""

    name, package = "echo", "echo-runtime"

    def __init__(self, spoil: int = 0, installed: bool = True, refuse: bool = False) -> None:
        self._spoil, self._installed, self._refuse = spoil, installed, refuse
        self.calls = 0

    def version(self) -> str | None:
        """Any, or none."""
        return "1.0" if self._installed else None

    def run(self, network: Network, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The dialect's own values; the first code of the output may be flipped."""
        self.calls += 1
        if self._refuse:
            raise UnsupportedError("echo knows no such thing")
        result = _DIALECT.run(network, inputs)["y"].copy()
        if self._spoil:
            result.reshape(-1)[0] ^= self._spoil
        return {"y": result}


def test_equal_outputs_are_counted() -> None:
    """At least as many as were asked for, over several networks; progress is told."""
    seen: list[tuple[str, int, int]] = []
    (row,) = check(_DIALECT, Echo(), ("dense",), outputs=3000, progress=lambda *a: seen.append(a))
    assert row.holds
    assert row.outputs >= 3000
    assert (row.networks, row.refused, row.note) == (len(seen), 0, "")
    assert seen[-1] == ("dense", row.outputs, 3000)


def test_one_wrong_code_is_found() -> None:
    """One per network; the note has the place and both values, the largest difference its size."""
    (row,) = check(_DIALECT, Echo(spoil=4), ("max_pool2d",), outputs=3000)
    assert not row.holds
    assert row.mismatches == row.networks
    assert row.largest == 4
    assert row.note.startswith("sample 0 (random), y[0, 0, 0, 0]: dialect ")


def test_a_missing_runtime_is_a_row_that_says_so() -> None:
    """Nothing is run, and the row names what to install."""
    oracle = Echo(installed=False)
    (row,) = check(_DIALECT, oracle, ("dense",), outputs=10)
    assert row.note == "echo-runtime is not installed: pip install 'kdq_ref[oracles]'"
    assert (row.outputs, oracle.calls) == (0, 0)


def test_an_operator_that_is_not_reproduced_is_a_row_with_the_evidence() -> None:
    """The note of the dialect."""
    less: Dialect = replace(_DIALECT, operators={}, notes={"dense": "because"})
    rows = list(check(less, Echo(), ("dense", "add"), outputs=10))
    assert [row.note for row in rows] == ["because", "the runtime has no such operator"]


def test_refusals_are_counted_and_end() -> None:
    """A runtime that takes nothing ends the row, with its own words."""
    (row,) = check(_DIALECT, Echo(refuse=True), ("add",), outputs=10)
    assert row.outputs == 0
    assert row.refused > 10
    assert row.note == "refused: echo knows no such thing"


def test_samples_depend_on_the_seed_only() -> None:
    """The same seed compares the same outputs, another one others."""
    counts = [
        next(iter(check(_DIALECT, Echo(), ("conv2d",), outputs=2000, seed=seed))).outputs
        for seed in (1, 1, 2)
    ]
    assert counts[0] == counts[1] != counts[2]


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [
        ([1.0, np.nan, 0.0], [1.0, np.nan, -0.0], 0),
        ([1.0, np.nan], [1.0, 2.0], 1),
        ([1.0], [np.nextafter(np.float32(1), np.float32(2))], 1),
    ],
)
def test_reals_differ_in_any_bit(a: list[float], b: list[float], count: int) -> None:
    """NaN equals NaN, the zeros are equal, a last bit is a difference."""
    assert different(np.array(a, np.float32), np.array(b, np.float32)).sum() == count


def test_another_shape_or_dtype_differs_everywhere() -> None:
    """Whatever the values are."""
    a = np.zeros(3, np.int8)
    assert different(a, np.zeros(3, np.uint8)).sum() == 3
    assert different(a, np.zeros((3, 1), np.int8)).sum() == 3


def test_another_processor_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a runtime computes with VNNI is not described by what it computes with AVX2."""
    report = kernels.IsaReport("avx512vnni", "", ("AVX2", "AVX512_VNNI"), ())
    monkeypatch.setattr(kernels, "isa_report", lambda: report)
    oracle = Echo()
    (row,) = check(_DIALECT, oracle, ("dense",), outputs=10)
    assert row.note.endswith("without AVX-512 and VNNI; this processor has AVX2, AVX512_VNNI")
    assert (row.outputs, oracle.calls) == (0, 0)
