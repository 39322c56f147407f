"""``kdq completion``: the script that a shell needs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_KDQ_COMPLETE"


@click.command(
    "completion", short_help="Print the script that completes kdq's arguments in a shell."
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes kdq's arguments in a shell.

    \b
    Examples:
      eval "$(kdq completion bash)"           in ~/.bashrc
      eval "$(kdq completion zsh)"            in ~/.zshrc
      kdq completion fish > ~/.config/fish/completions/kdq.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(context.find_root().command, {}, "kdq", _VARIABLE).source())
