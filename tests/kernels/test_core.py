"""The compiled module: what it leaves out, and what happens where it is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap

import pytest

from kdq_ref import kernels, operands
from kdq_ref.errors import KernelUnavailableError
from kdq_ref.kernels import core
from kdq_ref.rounding import RULES

needs_core = pytest.mark.skipif(
    not kernels.core_available(), reason=f"no C core: {kernels.core_problem()}"
)

ALLOCATORS = {
    *("malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign"),
    *("reallocarray", "mmap", "brk", "sbrk"),
}


def test_core_available_says_whether_there_is_a_problem() -> None:
    """The two answers agree, and require_core raises exactly when there is one."""
    assert kernels.core_available() == (kernels.core_problem() is None)
    if kernels.core_available():
        core.require_core()
    else:
        with pytest.raises(KernelUnavailableError, match="gcc or clang"):
            core.require_core()


def _without_core(program: str, blocker: str) -> str:
    """Run a program in a process where importing the compiled module fails."""
    source = textwrap.dedent(blocker) + textwrap.dedent(program)
    result = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_without_the_core_everything_imports_and_every_call_explains() -> None:
    """No compiler at install time: one typed error with the reason and what to do."""
    printed = _without_core(
        """
        from kdq_ref import infer, kernels
        from kdq_ref.errors import KernelUnavailableError
        assert not kernels.core_available()
        assert kernels.available_isas() == ()
        report = kernels.isa_report()
        assert report.chosen is None and report.reason == kernels.core_problem()
        x = np.zeros((2, 2), np.int8)
        image, real = x.reshape(1, 2, 2, 1), x.astype(np.float32)
        bias = np.zeros(2, np.int32)
        code = dict(x_zero_point=0, requant=None)
        window = dict(kernel=(1, 1), stride=(1, 1), padding=(0, 0, 0, 0))
        calls = [
            lambda: kernels.gemm(x, x),
            lambda: kernels.dense(x, x, bias, **code),
            lambda: kernels.conv2d(image, image, bias, **code),
            lambda: kernels.depthwise_conv2d(image, image, bias, **code),
            lambda: kernels.max_pool2d(image, **window),
            lambda: kernels.avg_pool2d(image, **window, **code),
            lambda: kernels.global_avg_pool(image, **code),
            lambda: kernels.add(x, x, a_zero_point=0, b_zero_point=0, a_multiplier=1,
                                b_multiplier=1, requant=None),
            lambda: kernels.lookup(x, x),
            lambda: kernels.flatten(image),
            lambda: kernels.argmax(x),
            lambda: kernels.softmax(x, x),
            lambda: kernels.quantize(real, scale=1.0, zero_point=0),
            lambda: kernels.dequantize(x, scale=1.0, zero_point=0),
            lambda: kernels.requantize(x, None),
            lambda: kernels.PlanBuilder(input_shape=(2,), input_scale=1.0, input_zero_point=0),
            lambda: kernels.gemm(x, x, isa="scalar"),
        ]
        for call in calls:
            try:
                call()
            except KernelUnavailableError as error:
                message = str(error)
            else:
                raise AssertionError("no error")
        print(message)
        """,
        """
        import sys
        sys.modules["kdq_ref.kernels._core"] = None
        import numpy as np
        """,
    )
    assert "no C compiler worked when kdq_ref was installed" in printed
    assert "kdq_ref.intref" in printed


def test_a_core_that_does_not_load_is_reported_with_the_loader_s_words() -> None:
    """A library for another machine is there, but importing it fails."""
    printed = _without_core(
        "from kdq_ref import kernels\nprint(kernels.core_problem())\n",
        """
        import importlib
        real = importlib.import_module
        def fail(name, package=None):
            if name == "kdq_ref.kernels._core":
                raise ImportError("wrong ELF class", name=name)
            return real(name, package)
        importlib.import_module = fail
        """,
    )
    assert printed == "the C core is installed but cannot be loaded: wrong ELF class\n"


@needs_core
def test_the_header_and_python_agree_on_their_constants() -> None:
    """Numbers that kdq.h and Python both write down are the same."""
    assert core.lib.KDQ_MAX_K == operands.MAX_K
    assert core.lib.KDQ_MAX_CLASSES == operands.MAX_CLASSES
    assert core.lib.KDQ_SOFTMAX_ONE == operands.SOFTMAX_ONE
    for name, rule in RULES.items():
        assert getattr(core.lib, f"KDQ_{name.upper()}") == rule.c_id


@needs_core
def test_c_allocates_nothing() -> None:
    """The compiled module imports no allocator, and exports nothing but its entry point."""
    if shutil.which("nm") is None or not sys.platform.startswith("linux"):
        pytest.skip("needs nm and ELF")
    path = sys.modules[core.MODULE].__file__

    def symbols(which: str) -> set[str]:
        listing = subprocess.run(
            ["nm", "-D", which, str(path)], capture_output=True, text=True, check=True
        ).stdout
        return set(re.findall(r"^\s*[0-9a-f]*\s+[A-Za-z] ([^@\s]+)", listing, re.MULTILINE))

    imported = symbols("--undefined-only")
    assert "memcpy" in imported  # the listing was understood
    assert imported & ALLOCATORS == set()
    assert {name for name in symbols("--defined-only") if "kdq" in name} == set()
