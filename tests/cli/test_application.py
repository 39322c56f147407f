"""The group: quick to start, one line per error, the exit codes it promises."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import kdq_ref
from kdq_ref.cli import compare, distill, run, train
from kdq_ref.cli.application import COMMANDS, kdq
from kdq_ref.errors import KdqError, TrainingInterrupted


def _python(code: str, **variables: str) -> str:
    """Run code in a fresh interpreter without our BLAS variables; return what it printed."""
    blas = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in blas}
    environment["PYTHONPATH"] = str(Path(kdq_ref.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment | variables,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_help_imports_nothing_heavy() -> None:
    """`kdq --help` lists every command without numpy or rich."""
    code = (
        "import sys; from kdq_ref.cli.application import kdq\n"
        "kdq.main(['--help'], prog_name='kdq', standalone_mode=False)\n"
        "print(sorted({'numpy', 'rich', 'cffi'} & set(sys.modules)))"
    )
    printed = _python(code)
    assert printed.endswith("[]\n")
    assert all(f"  {name}" in printed for name in COMMANDS)


def test_blas_gets_one_thread_before_numpy_wakes_up() -> None:
    """Importing the command line sets the variables, but keeps those of the user."""
    code = (
        "import os, sys, kdq_ref.cli\n"
        "print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'],"
        " os.environ['OMP_NUM_THREADS'])"
    )
    assert _python(code, OMP_NUM_THREADS="3") == "False 1 3\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps(name: str, invoke) -> None:
    """Each command has the one-line help of the table, and examples."""
    command = kdq.get_command(kdq.make_context("kdq", ["--help"], resilient_parsing=True), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name]
    outcome = invoke(name, "--help")
    assert outcome.code == 0
    assert f"kdq {name}" in outcome.stdout.partition("Examples:")[2]


def test_version(invoke) -> None:
    """`kdq --version` is the package's."""
    assert invoke("--version").stdout == f"kdq, version {kdq_ref.__version__}\n"


def test_unknown_command(invoke) -> None:
    """A command that does not exist is wrong usage."""
    outcome = invoke("rnu")
    assert outcome.code == 2
    assert "rnu" in outcome.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KdqError("so it is"), "so it is"),
        (FileNotFoundError(2, "No such file", "there"), "there: No such file"),
        (OSError("plain"), "plain"),
        (MemoryError(), "MemoryError"),
        (KdqError("\x1b[2Jname\nnext"), "\\x1b[2Jname\\nnext"),
    ],
)
def test_an_expected_error_is_one_line(error: Exception, line: str, invoke, monkeypatch) -> None:
    """Exit code 1, one line on standard error without control characters, nothing else."""
    monkeypatch.setattr(train.command, "callback", _raising(error))
    outcome = invoke("train")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (1, "", f"kdq: error: {line}\n")


def test_a_usage_error_is_harmless_too(invoke, tmp_path: Path) -> None:
    """A file name with control characters does not reach the terminal, in any message."""
    outcome = invoke("eval", tmp_path / "a\x1b[2J", "--spec", "--compare")
    assert outcome.code == 2
    outcome = invoke("eval", "model", "\x1b[2Jextra")
    assert outcome.code == 2
    assert "\x1b" not in outcome.stderr


def test_an_unexpected_error_is_not_hidden(monkeypatch) -> None:
    """A bug keeps its traceback."""
    monkeypatch.setattr(train.command, "callback", _raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        kdq.main(["train"], prog_name="kdq")


@pytest.mark.parametrize("module", [run, compare, train, distill])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), TrainingInterrupted("stopped")])
def test_an_interruption_says_how_to_go_on(
    module, error: BaseException, invoke, monkeypatch
) -> None:
    """Exit code 130; the line to repeat has --resume once and is quoted for the shell."""
    monkeypatch.setattr(module.command, "callback", _raising(error))
    name = module.command.name
    for more in ([], ["--resume"]):
        outcome = invoke(name, *more, "--out", "a b")
        assert outcome.code == 130
        assert outcome.stderr.endswith(f"kdq: to go on: kdq {name} --out 'a b' --resume\n")


def test_an_interruption_of_something_short(invoke, monkeypatch) -> None:
    """A command that has nothing to resume just says that it was interrupted."""
    from kdq_ref.cli import info

    monkeypatch.setattr(info.command, "callback", _raising(KeyboardInterrupt()))
    outcome = invoke("info")
    assert (outcome.code, outcome.stderr) == (130, "kdq: interrupted\n")


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no broken pipes here")
@pytest.mark.parametrize("arguments", [["info"], ["info", "--json"], ["--help"]])
def test_nobody_reads_on(arguments: list[str], command) -> None:
    """A closed pipe ends the command without a word."""
    process = command(*arguments)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() in (141, 1)


def test_a_table_into_a_closed_pipe(command, teacher: Path) -> None:
    """The same for what rich prints."""
    process = command("info", teacher)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 141


def test_a_terminal_without_unicode(command, integers: Path) -> None:
    """Where there is no UTF-8, words are spelt in ASCII instead of failing."""
    process = command("info", integers, PYTHONIOENCODING="ascii")
    out, err = process.communicate()
    assert process.returncode == 0
    assert "8x8x1" in out
    assert out.isascii()
    assert err == ""


def test_the_console_script(invoke) -> None:
    """`kdq` without arguments shows the help."""
    assert "Commands:" in (outcome := invoke()).stdout + outcome.stderr


def _raising(error: BaseException):
    def callback(**_: object) -> None:
        raise error

    return callback
