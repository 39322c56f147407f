"""Shell completion."""

from __future__ import annotations

import pytest

from kdq_ref.cli.application import COMMANDS
from kdq_ref.rounding import RULES


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script(shell: str, invoke) -> None:
    """It calls kdq with the variable that asks for completions."""
    outcome = invoke("completion", shell)
    assert outcome.code == 0
    assert f"_KDQ_COMPLETE={shell}_complete" in outcome.stdout


def test_the_script_for_bash(command) -> None:
    """The same for bash, whose version click looks at by starting it."""
    out, _ = command("completion", "bash").communicate()
    assert "_KDQ_COMPLETE=bash_complete" in out


def test_an_unknown_shell(invoke) -> None:
    """Other shells are wrong usage."""
    assert invoke("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kdq ", list(COMMANDS)),
        ("kdq in", ["info"]),
        ("kdq run --rule ", list(RULES)),
    ],
)
def test_what_is_offered(words: str, expected: list[str], command) -> None:
    """Commands, options and values, as a shell would ask."""
    out, _ = command(
        _KDQ_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    ).communicate()
    assert [line.partition(",")[2] for line in out.splitlines()] == expected
