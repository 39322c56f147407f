"""Build ``kdq_ref.kernels._core``, the cffi module (API mode) around the C core.

``setup.py`` names this file in ``cffi_modules``. The declarations are the slice of ``kdq.h``
between its two CDEF lines: the header is the only place where a C function is declared.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
SOURCES = [
    "conv.c",
    "cpu.c",
    "crew.c",
    "depthwise.c",
    "dispatch.c",
    "elementwise.c",
    "gemm.c",
    "gemm_ref.c",
    "gemm_s16.c",
    "lines.c",
    "pack.c",
    "plan.c",
    "plan_shared.c",
    "pool.c",
    "requant.c",
    "selftest.c",
    "softmax.c",
    "ukr_avx2.c",
    "ukr_avx2_pairs.c",
    "ukr_avx512vnni.c",
    "ukr_avxvnni.c",
    "ukr_i8mm.c",
    "ukr_neon.c",
    "ukr_neondot.c",
    "ukr_ref.c",
    "ukr_scalar.c",
    "vector.c",
    "vector_avx2.c",
    "vector_avx2_codes.c",
    "vector_avx2_s16.c",
    "vector_avx2_taps.c",
    "vector_avx2_windows.c",
    "vector_neon.c",
    "vector_neon_s16.c",
    "winograd.c",
    "winograd_avx2.c",
]
# No fused multiply-add: the float rules round twice, as their definitions say. Nobody reads the
# floating-point exception flags, and compilers vectorize float comparisons only if told so.
COMPILE_ARGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fvisibility=hidden"]


def declarations() -> str:
    """Return the slice of kdq.h that cffi parses."""
    header = (HERE / "kdq.h").read_text(encoding="utf-8")
    return header.split("/* CDEF BEGIN */")[1].split("/* CDEF END */")[0]


ffibuilder = FFI()
ffibuilder.cdef(declarations())
ffibuilder.set_source(
    "kdq_ref.kernels._core",
    '#include "kdq.h"',
    sources=[f"csrc/{name}" for name in SOURCES],  # setuptools wants paths relative to setup.py
    depends=[
        "csrc/kdq.h",
        "csrc/kdq_internal.h",
        "csrc/vector_avx2.h",
        "csrc/vector_avx2_rules.h",
        "csrc/vector_loops.h",
        "csrc/vector_neon_rules.h",
        "csrc/waiting.h",
    ],
    include_dirs=["csrc"],
    extra_compile_args=COMPILE_ARGS,
    py_limited_api=True,
    optional=True,  # no compiler is no reason not to install: see setup.py
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
