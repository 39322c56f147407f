"""The house keeps its own rules, and every rule can fail."""

from __future__ import annotations

from pathlib import Path

import architecture
import pytest

ROOT = Path(__file__).resolve().parent.parent

CLEAN = {
    "kdq_ref/__init__.py": '"""Root."""\nfrom kdq_ref.infer import run\n__version__ = "1"\n',
    "kdq_ref/__main__.py": '"""Command."""\nfrom kdq_ref.infer import run\n',
    "kdq_ref/errors.py": '"""Errors."""\n',
    "kdq_ref/checks.py": '"""Checks."""\nfrom kdq_ref.errors import KdqError\n',
    "kdq_ref/functional/__init__.py": '"""Float."""\n',
    "kdq_ref/kernels/__init__.py": '"""C."""\nfrom kdq_ref.kernels._core import ffi, lib\n',
    "kdq_ref/infer/__init__.py": (
        '"""Integers."""\nimport numpy as np\nfrom kdq_ref import __version__, checks, kernels\n'
        "from .run import run\n"
    ),
    "kdq_ref/infer/run.py": (
        '"""Run."""\nfrom ..checks import check\n'
        'def run(rng):\n    """Run."""\n    return np.load(f, allow_pickle=False)\n'
        "def _private(): return np.random.default_rng([1])\n"
        'class Base:\n    """Base."""\n    def go(self):\n        """Go."""\n'
        'class Plan(Base):\n    """Plan."""\n    @size.setter\n    def size(self, n): ...\n'
        'class Other(run.Plan):\n    """Other."""\n    def go(self): ...\n'
    ),
    "kdq_ref/data/assets/digits.txt": "x\n" * 500,
    "tests/test_errors.py": "",
    "tests/test_checks.py": 'def test_it():\n    """It checks."""\n',
    "tests/infer/test_run.py": 'class TestRun:\n    def test_it(self):\n        """It runs."""\n',
    "csrc/gemm.c": "int x;\n" * 400,
}


def _build(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("rule", architecture.RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: architecture.Callable[[Path], list[str]]) -> None:
    """This repository has no violation."""
    assert rule(ROOT) == []


def test_a_clean_tree_has_no_violation(tmp_path: Path) -> None:
    """The tree that the next test plants violations in breaks no rule."""
    _build(tmp_path, CLEAN)
    assert [line for rule in architecture.RULES for line in rule(tmp_path)] == []


@pytest.mark.parametrize(
    ("rule", "file", "text", "message"),
    [
        ("floors", "functional/a.py", "import kdq_ref.nn.x", "not on a lower floor"),
        ("floors", "functional/a.py", "from kdq_ref.rounding import r", "not on a lower floor"),
        ("floors", "functional/a.py", "def f():\n from ..infer import run", "not on a lower floor"),
        ("floors", "errors.py", "from . import checks", "imports kdq_ref.checks"),
        ("floors", "infer/a.py", "import kdq_ref", "imports the root package"),
        ("floors", "infer/a.py", "from kdq_ref import run", "imports the root package (run)"),
        ("floors", "infer/a.py", "from .. import run", "imports the root package (run)"),
        ("floors", "attic/a.py", "", "'attic' has no floor"),
        ("floors", "cli/a.py", "from kdq_ref.report import page", "not on a lower floor"),
        ("integers_only", "infer/a.py", "from kdq_ref import functional", "reaches"),
        ("integers_only", "checks.py", "import kdq_ref.functional", "(through kdq_ref.checks)"),
        ("compiled_code_in_kernels", "infer/a.py", "import cffi", "touches the compiled"),
        ("compiled_code_in_kernels", "infer/a.py", "from kdq_ref.kernels import lib", "touches"),
        ("compiled_code_in_kernels", "infer/a.py", "from kdq_ref.kernels import _core", "_core"),
        ("compiled_code_in_kernels", "infer/a.py", "import kdq_ref.kernels._core", "_core"),
        ("tests_mirror", "infer/engine.py", "", "tests/infer/test_engine.py is missing"),
        ("file_sizes", "infer/a.py", "\n" * 399, "401 lines, at most 400"),
        ("file_sizes", "../csrc/a.h", "\n" * 399, "401 lines"),
        ("file_sizes", "../bench/a.py", "\n" * 399, "401 lines"),
        ("file_names", "infer/utils.py", "", "'utils' says nothing"),
        ("file_names", "helpers/a.py", "", "'helpers' says nothing"),
        ("file_names", "../tests/test_common.py", "", "'test_common' says nothing"),
        ("file_names", "../csrc/misc.c", "", "'misc' says nothing"),
        ("file_names", "../tests/infer/__init__.py", "", "has no __init__.py"),
        ("forbidden_constructs", "infer/a.py", "import pickle", "imports pickle"),
        ("forbidden_constructs", "infer/a.py", "from random import choice", "imports random"),
        ("forbidden_constructs", "infer/a.py", "from numpy.random import rand", "rand"),
        ("forbidden_constructs", "infer/a.py", "eval('1')", ":2: eval()"),
        ("forbidden_constructs", "infer/a.py", "exec('1')", ":2: exec()"),
        ("forbidden_constructs", "infer/a.py", "np.load(f, allow_pickle=True)", "unpickles"),
        ("forbidden_constructs", "infer/a.py", "np.load(f, allow_pickle=x)", "unpickles"),
        ("forbidden_constructs", "infer/a.py", "np.random.seed(0)", "global random state"),
        ("forbidden_constructs", "infer/a.py", "numpy.random.rand()", "global random state"),
        ("forbidden_constructs", "infer/a.py", "np.random.default_rng()", "without a seed"),
        ("docstrings", "infer/a.py", "def f(): ...", "f has no docstring"),
        ("docstrings", "infer/a.py", "class A: ...", "A has no docstring"),
        ("docstrings", "infer/a.py", "class A:\n 'A.'\n def f(self): ...", "A.f has no docstring"),
        ("docstrings", "infer/a.py", "class A(Base):\n 'A.'\n def g(self): ...", "A.g has no"),
        ("one_line_test_docstrings", "../tests/test_a.py", "def test_a(): ...", "no docstring"),
        (
            "one_line_test_docstrings",
            "../tests/test_a.py",
            "def test_a():\n '''Two.\n\n Lines.'''",
            "docstring of 3 lines",
        ),
    ],
)
def test_a_planted_violation_is_found(
    tmp_path: Path, rule: str, file: str, text: str, message: str
) -> None:
    """One violation in a clean tree is one line of that rule, naming what is wrong."""
    _build(tmp_path, CLEAN | {f"kdq_ref/{file}": f'"""Planted."""\n{text}\n'})
    lines = getattr(architecture, rule)(tmp_path)
    assert any(message in line for line in lines), lines


def test_an_undocumented_module_is_found(tmp_path: Path) -> None:
    """A module without a docstring breaks the rule even when it defines nothing."""
    _build(tmp_path, CLEAN | {"kdq_ref/infer/a.py": "x = 1\n"})
    assert architecture.docstrings(tmp_path) == ["kdq_ref.infer.a: the module has no docstring"]


@pytest.mark.parametrize(
    ("module", "verdict"),
    [
        ("kdq_ref/infer/a.py", []),
        ("kdq_ref/errors.py", ["kdq_ref/errors.py: tests/test_errors.py is excused but exists"]),
        ("kdq_ref/gone.py", ["kdq_ref/gone.py: excused from tests, but does not exist"]),
    ],
)
def test_an_excuse_must_be_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, verdict: list[str]
) -> None:
    """A module may be excused from the mirror, but not one that has tests or is not there."""
    excused = {module: "planted", "kdq_ref/infer/a.py": "planted"}
    monkeypatch.setattr(architecture, "UNMIRRORED", excused)
    _build(tmp_path, CLEAN | {"kdq_ref/infer/a.py": '"""Planted."""'})
    assert architecture.tests_mirror(tmp_path) == verdict
