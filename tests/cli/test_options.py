"""Shared options."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from kdq_ref.cli import options
from kdq_ref.cli.application import COMMANDS, kdq
from kdq_ref.cli.run import command as run
from kdq_ref.pipeline import Job


def test_the_default_directory_says_what_is_in_it() -> None:
    """Parts that are missing leave nothing; a path stands for its last component."""
    assert options.run_directory("digits", None, "seed0") == Path("runs/digits-seed0")
    assert options.run_directory("/x/../data/mnist/", "labels9") == Path("runs/mnist-labels9")


def test_options_combine_in_order() -> None:
    """Help lists combined options as they were given."""
    both = options.combine(click.option("--first"), click.option("--second"))
    command = click.command()(both(lambda **_: None))
    assert [parameter.name for parameter in command.params] == ["first", "second"]


def test_run_takes_every_setting_of_a_job() -> None:
    """`kdq run` has an option for each field of Job, with the same default."""
    defaults = {parameter.name: parameter.default for parameter in run.params}
    context = run.make_context("run", [])
    for name, value in vars(Job()).items():
        assert name in defaults
        assert context.params[name] == value


def test_data_completes_names_and_directories() -> None:
    """A shell offers the known datasets, then directories."""
    complete = ShellComplete(kdq, {}, "kdq", "_KDQ_COMPLETE")
    found = [(item.type, item.value) for item in complete.get_completions(["run", "--data"], "")]
    assert found == [("plain", "digits"), ("plain", "fashion-mnist"), ("dir", "")]


@pytest.mark.parametrize("name", ["run", "compare", "train", "distill"])
def test_random_commands_have_seeds_and_can_resume(name: str) -> None:
    """Where anything is drawn there is a seed, where anything takes long there is --resume."""
    command = kdq.get_command(click.Context(kdq), name)
    names = {parameter.name for parameter in command.params}
    assert names & {"seed", "seeds"}
    assert {"resume", "out", "quiet", "as_json"} <= names


@pytest.mark.parametrize("name", ["quantize", "eval", "predict"])
def test_commands_that_take_some_images_can_draw_them(name: str) -> None:
    """Without --seed nothing is drawn, so that it has no default."""
    command = kdq.get_command(click.Context(kdq), name)
    assert command.make_context(name, ["model"]).params["seed"] is None
    assert command.make_context(name, ["model", "--seed", "0"]).params["seed"] == 0


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "completion"])
def test_every_result_comes_as_json_too(name: str) -> None:
    """Every command that has a result has --json, or all commands below it have."""
    command = kdq.get_command(click.Context(kdq), name)
    assert command is not None
    for each in (command, *getattr(command, "commands", {}).values()):
        if not isinstance(each, click.Group) or each.invoke_without_command:
            assert any("--json" in parameter.opts for parameter in each.params), each.name


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--epochs", "0"],
        ["run", "--seed", "-1"],
        ["predict", "model", "--seed", "-1"],
        ["eval", "model", "--count", "0"],
        ["run", "--lam", "1.5"],
        ["run", "--rule", "up"],
        ["train", "--net", "resnet"],
        ["eval"],
    ],
)
def test_wrong_usage(arguments: list[str], invoke) -> None:
    """Values that cannot be meant are exit code 2, before anything happens."""
    assert invoke(*arguments).code == 2
