"""The command ``kdq`` itself: finds its subcommands, and turns errors into lines and exit codes."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import os
import shlex
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from kdq_ref import __version__
from kdq_ref.cli.text import PLAIN, plain, printable
from kdq_ref.errors import KdqError, TrainingInterrupted

COMMANDS = {
    "run": "The whole job: teacher, student, distilled student, int8, proof.",
    "compare": "Distilled against trained from scratch, over several seeds.",
    "train": "Train a network of the zoo on labels.",
    "distill": "Train a student on what a teacher says.",
    "quantize": "Turn a float model into an integer model.",
    "eval": "Measure accuracy and speed of a float or integer model.",
    "predict": "Say which class images belong to.",
    "verify": "Say whether your kernel is right, and what is wrong with it.",
    "prove": "Prove what holds for every input of an integer model.",
    "explain-diff": "Where two dialects part first on an input, and why.",
    "dialect": "What runtimes compute, to the last bit: list, show, check, identify.",
    "rules": "The rounding rules, and where two of them differ.",
    "info": "Show this machine, or the layers of a model.",
    "completion": "Print the script that completes kdq's arguments in a shell.",
}
"""Every command and its help in one line; ``kdq_ref.cli.NAME.command`` is imported when needed.

A hyphen in a name is an underscore in its module's."""

INTERRUPTED = 130
BROKEN_PIPE = 141


class Failure(click.ClickException):
    """An expected error: one line on standard error, exit code 1."""

    def show(self, file: Any = None) -> None:
        """Print the message, harmlessly whatever it quotes."""
        print(f"kdq: error: {printable(self.message)}", file=file or sys.stderr)


class Application(click.Group):
    """A group that imports a command when it is called for, so that ``kdq --help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of a job."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(
            f"kdq_ref.cli.{cmd_name.replace('-', '_')}"
        ).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the commands' names without importing them."""
        names = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the arguments, to be able to say how to go on after an interruption."""
        ctx.obj = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; expected errors become one line and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except click.UsageError as error:
            # It may quote arguments, which a shell may have made from names of files.
            lines = error.format_message().split("\n")
            raise click.UsageError("\n".join(map(printable, lines)), error.ctx) from error
        except BrokenPipeError:
            _discard_output()
            ctx.exit(BROKEN_PIPE)
        except TrainingInterrupted as stop:
            self._interrupted(ctx, str(stop))
        except KeyboardInterrupt:
            self._interrupted(ctx, "interrupted")
        except OSError as error:
            name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
            raise Failure(f"{name}{error.strerror or error}") from error
        except (KdqError, MemoryError) as error:
            raise Failure(str(error) or type(error).__name__) from error

    def _interrupted(self, ctx: click.Context, message: str) -> NoReturn:
        print(f"kdq: {printable(message)}", file=sys.stderr)
        name = ctx.invoked_subcommand
        command = self.get_command(ctx, name) if name else None
        if command and any(parameter.name == "resume" for parameter in command.params):
            arguments = [argument for argument in ctx.obj if argument != "--resume"]
            line = shlex.join(["kdq", *arguments, "--resume"])
            print(f"kdq: to go on: {printable(line)}", file=sys.stderr)
        ctx.exit(INTERRUPTED)


def _discard_output() -> None:
    """Let what is still buffered go nowhere, so that Python's exit does not complain."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            os.dup2(devnull, stream.fileno())
    os.close(devnull)


@click.group(
    "kdq",
    cls=Application,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="kdq")
def kdq() -> None:
    """The exact reference for distilled, quantized neural networks, integer by integer.

    \b
    Examples:
      kdq run                               the whole job on the embedded digits
      kdq run --data fashion-mnist          ... on Fashion-MNIST
      kdq eval runs/digits-seed0/student_int8.safetensors --compare
      kdq COMMAND --help                    more examples
    """


def main() -> None:
    """Run the command line in this process and exit."""
    codecs.register_error(PLAIN, plain)
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 gets "us" for "µs" instead of a UnicodeEncodeError.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)
    kdq.main(prog_name="kdq")
