"""Hypothesis profiles `dev` (default) and `thorough` (HYPOTHESIS_PROFILE=thorough); core report."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

# Before NumPy is imported: training runs its own threads, which BLAS threads would only fight.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from kdq_ref import kernels
from kdq_ref.verify.kernel.abi import asset

# A shell without job control starts background jobs with SIGINT ignored, and children inherit that:
# the tests of Ctrl-C need it to arrive.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Timings on shared machines are noise, so no deadline; arrays are large data, and rightly so.
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("dev", deadline=None, max_examples=50, suppress_health_check=_QUIET)
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which C core the tests saw; .ci/run reads the line, so that none goes missing unseen."""
    seen = "present" if kernels.core_available() else "absent"
    detail = kernels.core_problem() or ", ".join(kernels.available_isas())
    terminalreporter.write_line(f"C core: {seen} ({detail})")


@pytest.fixture(scope="session")
def compiler() -> list[str]:
    """The command of $CC, or cc; a C compiler that works."""
    command = shlex.split(os.environ.get("CC") or "cc")
    source = "int main(void) { return 0; }\n"
    try:
        tried = subprocess.run(
            [*command, "-x", "c", "-fsyntax-only", "-"], input=source, text=True, check=False
        )
        works = tried.returncode == 0 and "false" not in Path(command[0]).name
    except OSError:
        works = False
    if not works:
        pytest.skip(f"no C compiler: {shlex.join(command)} does not compile")
    return command


@pytest.fixture(scope="session")
def example_library(compiler: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel that ships with the package, made as its first lines say."""
    folder = tmp_path_factory.mktemp("example")
    for name in ("kdq_kernel_abi.h", "example.c"):
        (folder / name).write_text(asset(name))
    library = folder / "example.so"
    command = [*compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(folder / "example.c")]
    subprocess.run(command, check=True)
    return library
