"""Runs commands in this process or in one of their own, and makes small models once."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kdq_ref
from kdq_ref.cli.application import kdq


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code and both streams."""

    code: int | str | None
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON object and nothing else."""
        return json.loads(self.stdout)


Invoke = Callable[..., Outcome]


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Run ``kdq`` with these arguments in this process."""

    def run(*arguments: object) -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            kdq.main([str(argument) for argument in arguments], prog_name="kdq")
        return Outcome(end.value.code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.Popen[str]]:
    """Start ``python -m kdq_ref`` with these arguments, pipes on both outputs."""

    def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(Path(kdq_ref.__file__).parent.parent)}
        return subprocess.Popen(
            [sys.executable, "-m", "kdq_ref", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | variables,
        )

    return start


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> tuple[Path, Outcome]:
    """Directory and outcome of ``kdq run --json`` on the digits, one epoch each."""
    directory = tmp_path_factory.mktemp("cli") / "run"
    return directory, invoke("run", "--epochs", 1, "--out", directory, "--json")


@pytest.fixture(scope="session")
def report(job: tuple[Path, Outcome]) -> dict[str, Any]:
    """What that run printed."""
    result: dict[str, Any] = job[1].json
    return result


@pytest.fixture(scope="session")
def teacher(job: tuple[Path, Outcome]) -> Path:
    """The float model of its teacher."""
    return job[0] / "teacher.safetensors"


@pytest.fixture(scope="session")
def student(job: tuple[Path, Outcome]) -> Path:
    """The float model of its distilled student."""
    return job[0] / "student_distilled.safetensors"


@pytest.fixture(scope="session")
def integers(job: tuple[Path, Outcome]) -> Path:
    """Its integer model."""
    return job[0] / "student_int8.safetensors"


@pytest.fixture(scope="session")
def checkpoint(job: tuple[Path, Outcome]) -> Path:
    """A checkpoint, which is not a model."""
    return job[0] / "teacher" / "last.safetensors"
