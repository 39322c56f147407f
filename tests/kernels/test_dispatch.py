"""The best kernel that works is chosen; what cannot run says why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kdq_ref import intref, kernels
from kdq_ref.errors import KernelSelfTestError, KernelUnavailableError
from kdq_ref.kernels import dispatch
from kdq_ref.kernels.core import lib

pytestmark = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

A = np.full((3, 4), -128, np.int8)


def scalar_kernel() -> Any:
    """The last of the table, which runs on any CPU."""
    return lib.kdq_kernel_at(lib.kdq_kernel_count() - 1)


@pytest.fixture(autouse=True)
def _no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests set KDQ_ISA themselves."""
    monkeypatch.delenv("KDQ_ISA", raising=False)


def test_scalar_is_always_there() -> None:
    """The portable kernel is last, and "ref" is never chosen."""
    assert kernels.available_isas()[-1] == "scalar"
    assert "ref" not in kernels.available_isas()


@pytest.mark.parametrize("isa", ["ref", *kernels.available_isas()])
def test_every_kernel_passes_its_self_test(isa: str) -> None:
    """Known answers, through the real path."""
    assert lib.kdq_kernel_self_test(dispatch.kernel_for(isa)) == 0


def test_the_self_test_finds_saturated_pair_sums() -> None:
    """The mistake of vpmaddubsw, planted in a kernel, is found by the all--128 products."""
    assert lib.kdq_kernel_self_test(lib.kdq_kernel_saturating()) >= 14


def test_a_kernel_that_fails_is_passed_over_and_reported() -> None:
    """The next one runs, with a warning; asking for the faulty one by name is an error."""
    table = dispatch.KernelTable([lib.kdq_kernel_saturating(), scalar_kernel()])
    with pytest.warns(RuntimeWarning, match="'saturating' gave a wrong answer"):
        chosen = table.select()
    assert chosen == scalar_kernel()
    assert table.available() == table.names[1:]
    with pytest.raises(KernelSelfTestError, match="self-test"):
        table.select("saturating")


@pytest.mark.filterwarnings("ignore:kernel 'saturating':RuntimeWarning")
def test_no_working_kernel_is_an_error() -> None:
    """Wrong results are never the fallback."""
    table = dispatch.KernelTable([lib.kdq_kernel_saturating()])
    with pytest.raises(KernelSelfTestError, match="saturating: gave a wrong answer"):
        table.select()


def test_what_the_cpu_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that is compiled in but cannot run here says which feature is missing."""
    avx512_vnni = 1 << 2
    monkeypatch.setattr(dispatch, "lib", _PretendMissing(lib.kdq_kernel_ref(), avx512_vnni))
    table = dispatch.KernelTable([lib.kdq_kernel_ref(), scalar_kernel()])
    assert table.select() == scalar_kernel()
    with pytest.raises(KernelUnavailableError) as caught:
        table.select("ref")
    assert not isinstance(caught.value, KernelSelfTestError)
    assert str(caught.value) == (
        f"isa 'ref' is compiled in, but this CPU lacks AVX512_VNNI. "
        f"Available: {table.names[1]}. Unset KDQ_ISA to pick automatically."
    )


class _PretendMissing(SimpleNamespace):
    """The real library, but one kernel lacks some features."""

    def __init__(self, kernel: Any, missing: int) -> None:
        super().__init__()
        self.kdq_kernel_missing = lambda k: missing if k == kernel else lib.kdq_kernel_missing(k)

    def __getattr__(self, name: str) -> Any:
        return getattr(lib, name)


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """KDQ_ISA decides where isa= does not; an empty one is as good as none."""
    monkeypatch.setenv("KDQ_ISA", "ref")
    assert dispatch.kernel_for(None) == lib.kdq_kernel_ref()
    assert kernels.isa_report().chosen == "ref"
    assert kernels.isa_report().reason == "KDQ_ISA=ref"
    assert dispatch.kernel_for("scalar") != lib.kdq_kernel_ref()
    np.testing.assert_array_equal(kernels.gemm(A, A.T), intref.gemm(A, A.T))
    monkeypatch.setenv("KDQ_ISA", "")
    assert dispatch.kernel_for(None) != lib.kdq_kernel_ref()


def test_an_unknown_isa_is_an_error_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or environment, also for operators that have one implementation only."""
    with pytest.raises(KernelUnavailableError, match=r"isa 'avx9' is not compiled .* scalar"):
        kernels.gemm(A, A.T, isa="avx9")
    monkeypatch.setenv("KDQ_ISA", "avx9")
    for call in (lambda: kernels.gemm(A, A.T), lambda: kernels.argmax(A)):
        with pytest.raises(KernelUnavailableError, match="Unset KDQ_ISA"):
            call()
    report = kernels.isa_report()
    assert report.chosen is None
    assert "avx9" in report.reason


def test_the_report_lists_every_kernel() -> None:
    """Names, problems and the features of this CPU."""
    report = kernels.isa_report()
    assert report.chosen == kernels.available_isas()[0]
    assert [k.name for k in report.kernels if k.problem is None] == list(kernels.available_isas())
    assert set(report.cpu_features) <= set(dispatch.feature_names(2**64 - 1))


def test_first_use_from_many_threads_tests_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent first calls agree, and the self-test runs a single time."""
    counting = _PretendMissing(None, 0)
    runs: list[int] = []

    def self_test(kernel: Any) -> int:
        runs.append(1)
        return int(lib.kdq_kernel_self_test(kernel))

    counting.kdq_kernel_self_test = self_test
    monkeypatch.setattr(dispatch, "lib", counting)
    table = dispatch.KernelTable([scalar_kernel()])
    with ThreadPoolExecutor(8) as pool:
        chosen = set(pool.map(lambda _: table.select(), range(64)))
    assert len(chosen) == 1
    assert len(runs) == 1
