"""pytest plugin: ``pytest --kdq-lib ./mine.so --kdq-symbol my_gemm --kdq-abi gemm_s8s8s8``.

Adds one test for every rule that is asked for (``--kdq-rule``, repeatable), which fails with the
verdict of ``kdq verify``. Without ``--kdq-lib`` it does nothing, and imports nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("kdq", "kernels verified by kdq_ref")
    group.addoption("--kdq-lib", metavar="FILE", help="shared library with a kernel of yours")
    group.addoption("--kdq-symbol", metavar="NAME", help="the function in it")
    group.addoption("--kdq-abi", metavar="ABI", help="how it is called (kdq verify --help)")
    group.addoption(
        "--kdq-rule",
        metavar="RULE",
        action="append",
        help="rounding rule to hold it to; repeat for several",
    )
    group.addoption(
        "--kdq-seconds", metavar="S", type=float, default=10.0, help="how long to look for faults"
    )
    group.addoption("--kdq-seed", metavar="N", type=int, default=0, help="decides the calls")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse half of the options."""
    missing = [n for n in ("--kdq-symbol", "--kdq-abi") if not config.getoption(n)]
    if config.getoption("--kdq-lib") and missing:
        raise pytest.UsageError(f"--kdq-lib needs {' and '.join(missing)}, too")


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of the kernel to whatever else was collected."""
    if not config.getoption("--kdq-lib"):
        return
    for rule in config.getoption("--kdq-rule") or [None]:
        name = f"{config.getoption('--kdq-symbol')}[{config.getoption('--kdq-abi')}"
        name += f"-{rule}]" if rule else "]"
        items.append(KernelItem.from_parent(session, name=name, rule=rule))


class WrongKernel(Exception):
    """A verdict that is not "right"."""


class KernelItem(pytest.Item):
    """The verification of one kernel under one rule."""

    def __init__(self, *, rule: str | None, **options: Any) -> None:
        super().__init__(**options)
        self.rule = rule

    def runtest(self) -> None:
        """Verify it.

        Raises
        ------
        WrongKernel
            With the verdict, if it is not right.
        """
        from kdq_ref.verify import verify_library

        option = self.config.getoption
        verdict = verify_library(
            Path(option("--kdq-lib")),
            option("--kdq-symbol"),
            abi=option("--kdq-abi"),
            rule=self.rule,
            seconds=option("--kdq-seconds"),
            seed=option("--kdq-seed"),
        )
        self.add_report_section("call", "kdq", "\n".join(verdict.lines()))
        if not verdict.passed:
            raise WrongKernel("\n".join(verdict.lines()))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict, or what was wrong with the options, without a traceback."""
        from kdq_ref.errors import KdqError

        if isinstance(excinfo.value, WrongKernel | KdqError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the test is: the library."""
        return Path(self.config.getoption("--kdq-lib")), None, f"kdq verify {self.name}"
