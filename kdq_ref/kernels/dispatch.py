"""Which kernel runs: the first of the C table that this CPU has and that passes its self-test."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from kdq_ref.errors import KernelSelfTestError, KernelUnavailableError
from kdq_ref.kernels.core import core_problem, ffi, lib, require_core

ENVIRONMENT_VARIABLE = "KDQ_ISA"


@dataclass(frozen=True)
class KernelStatus:
    """One line of the table: a kernel, and why it cannot be used, if so."""

    name: str
    problem: str | None


@dataclass(frozen=True)
class IsaReport:
    """What :func:`isa_report` found.

    Attributes
    ----------
    chosen : str or None
        The kernel that runs by default; None if none can.
    reason : str
        Why that one, or what is wrong.
    cpu_features : tuple of str
        Those the core knows and both CPU and operating system support.
    kernels : tuple of KernelStatus
        Best first.
    """

    chosen: str | None
    reason: str
    cpu_features: tuple[str, ...]
    kernels: tuple[KernelStatus, ...]


def feature_names(bits: int) -> tuple[str, ...]:
    """Names of the CPU feature bits that are set."""
    names = []
    bit = 0
    while (name := lib.kdq_feature_name(bit)) != ffi.NULL:
        if bits >> bit & 1:
            names.append(_text(name))
        bit += 1
    return tuple(names)


class KernelTable:
    """Kernels, best first. Each is self-tested once, just before its first use.

    Parameters
    ----------
    handles : sequence of cdata
        ``const kdq_kernel *``, in order of preference.
    on_request : sequence of cdata
        Kernels that are used only when asked for by name.
    """

    def __init__(self, handles: Sequence[Any], on_request: Sequence[Any] = ()) -> None:
        self.names = tuple(kernel_name(handle) for handle in handles)
        requested = {kernel_name(handle): handle for handle in on_request}
        self._handles = {**dict(zip(self.names, handles, strict=True)), **requested}
        self._problems: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def problem(self, name: str) -> str | None:
        """Why the kernel of that name cannot be used; None if it can."""
        with self._lock:  # one self-test at a time, and each only once
            if name not in self._problems:
                self._problems[name] = self._examine(self._handles[name])
            return self._problems[name]

    def available(self) -> tuple[str, ...]:
        """Names of the usable kernels, best first."""
        return tuple(name for name in self.names if self.problem(name) is None)

    def select(self, isa: str | None = None) -> Any:
        """Return the handle of the kernel called ``isa``, or of the best one.

        Raises
        ------
        KernelUnavailableError
            If there is no such kernel or this CPU lacks what it needs.
        KernelSelfTestError
            If it computes wrong results here.
        """
        if isa is None:
            return self._handles[self._best()]
        if isa not in self._handles:
            raise KernelUnavailableError(
                f"isa {isa!r} is not compiled into this build. {self._advice()}"
            )
        problem = self.problem(isa)
        if problem is not None:
            error = KernelSelfTestError if _is_fault(problem) else KernelUnavailableError
            raise error(f"isa {isa!r} is compiled in, but {problem}. {self._advice()}")
        return self._handles[isa]

    def _best(self) -> str:
        for name in self.names:
            if self.problem(name) is None:
                return name
        faults = "; ".join(f"{name}: {self.problem(name)}" for name in self.names)
        raise KernelSelfTestError(f"no kernel can be used ({faults}); please report this")

    def _examine(self, handle: Any) -> str | None:
        missing = lib.kdq_kernel_missing(handle)
        if missing:
            return f"this CPU lacks {' and '.join(feature_names(missing))}"
        failed = lib.kdq_kernel_self_test(handle)
        if failed:
            problem = f"{_FAULT} (check {failed} of csrc/selftest.c)"
            warnings.warn(
                f"kernel {kernel_name(handle)!r} {problem} and will not be used; "
                f"please report this",
                RuntimeWarning,
                stacklevel=2,
            )
            return problem
        return None

    def _advice(self) -> str:
        return (
            f"Available: {', '.join(self.available())}. "
            f"Unset {ENVIRONMENT_VARIABLE} to pick automatically."
        )


_FAULT = "gave a wrong answer in its self-test"


def _is_fault(problem: str) -> bool:
    return problem.startswith(_FAULT)


def _text(name: Any) -> str:
    return str(ffi.string(name).decode("ascii"))


def kernel_name(handle: Any) -> str:
    """What ``isa=`` calls the kernel behind a ``const kdq_kernel *``."""
    return _text(lib.kdq_kernel_name(handle))


@cache
def core_table() -> KernelTable:
    """The table of the C core.

    Raises
    ------
    KernelUnavailableError
        If there is no C core.
    """
    require_core()
    handles = [lib.kdq_kernel_at(i) for i in range(lib.kdq_kernel_count())]
    return KernelTable(handles, on_request=[lib.kdq_kernel_ref()])


def kernel_for(isa: str | None) -> Any:
    """Return the kernel to use for an ``isa=`` argument: that one, KDQ_ISA's, or the best.

    Raises
    ------
    KernelUnavailableError, KernelSelfTestError
    """
    return core_table().select(isa or os.environ.get(ENVIRONMENT_VARIABLE) or None)


def available_isas() -> tuple[str, ...]:
    """Names for ``isa=`` that can run here, best first; empty without the C core."""
    return core_table().available() if core_problem() is None else ()


def isa_report() -> IsaReport:
    """What runs by default on this machine and why; never raises."""
    problem = core_problem()
    if problem is not None:
        return IsaReport(None, problem, (), ())
    table = core_table()
    statuses = tuple(KernelStatus(name, table.problem(name)) for name in table.names)
    requested = os.environ.get(ENVIRONMENT_VARIABLE)
    chosen: str | None
    try:
        chosen = kernel_name(kernel_for(None))
    except KernelUnavailableError as error:
        chosen, reason = None, str(error)
    else:
        reason = (
            f"{ENVIRONMENT_VARIABLE}={requested}"
            if requested
            else "the best this CPU has, self-test passed"
        )
    return IsaReport(chosen, reason, feature_names(lib.kdq_cpu_features()), statuses)
