"""The pytest plugin: one test per rule, and nothing at all unless it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import kdq_ref

ROOT = Path(kdq_ref.__file__).parent.parent


def _pytest(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    # Loaded by name once: where the package is installed, its entry point does it.
    known = any(e.value == "kdq_ref.pytest_plugin" for e in entry_points(group="pytest11"))
    plugin = [] if known else ["-p", "kdq_ref.pytest_plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_rule_is_a_test(example_library: Path, tmp_path: Path) -> None:
    """The right rule passes; the wrong one fails with the verdict and without a traceback."""
    ran = _pytest(
        tmp_path,
        *("--kdq-lib", example_library, "--kdq-symbol", "example_gemm", "--kdq-abi", "gemm_s8s8s8"),
        *("--kdq-rule", "double_rounding", "--kdq-rule", "onnx_spec", "--kdq-seconds", "0"),
    )
    assert ran.returncode == 1, ran.stdout
    assert "1 failed, 1 passed" in ran.stdout
    assert "your requantization is `double_rounding`" in ran.stdout
    assert "Traceback" not in ran.stdout


def test_a_library_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    """With the typed error's words."""
    ran = _pytest(
        tmp_path, "--kdq-lib", "none.so", "--kdq-symbol", "x", "--kdq-abi", "gemm_s8s8s32"
    )
    assert ran.returncode == 1
    assert "none.so: No such file" in ran.stdout


def test_half_of_the_options_are_wrong_usage(tmp_path: Path) -> None:
    """The missing ones are named."""
    ran = _pytest(tmp_path, "--kdq-lib", "none.so")
    assert ran.returncode == 4
    assert "--kdq-lib needs --kdq-symbol and --kdq-abi" in ran.stderr


def test_who_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """Importing it imports neither NumPy nor anything of ours but the root."""
    code = (
        "import sys, kdq_ref.pytest_plugin\n"
        "print([m for m in sys.modules if m == 'numpy' or m.startswith('kdq_ref.')])"
    )
    printed = subprocess.check_output(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True
    )
    assert printed == "['kdq_ref.pytest_plugin']\n"
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    assert "1 passed" in _pytest(tmp_path).stdout


def test_it_is_registered() -> None:
    """The project file names it for pytest."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\nkdq = "kdq_ref.pytest_plugin"\n' in text
