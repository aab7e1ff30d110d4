"""docs/cli.md lists every command with its arguments and options, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer.main

from tidegate.cli.ending import Exit
from tidegate.cli.main import app

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def _commands() -> dict[str, Any]:
    """By name; those of a group as `flags list`."""
    group: Any = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {below}": one for below, one in inner.items()} if inner else {name: command}
    return found


def _rows() -> dict[str, tuple[str, set[str]]]:
    """Of each documented command its arguments and its options."""
    groups = "|".join({name.split()[0] for name in _commands() if " " in name})
    pattern = rf"^\| `tidegate ((?:(?:{groups}) )?\w+)([^`]*)` \|.*\| ([^|]*) \|$"
    found = re.findall(pattern, TEXT, re.MULTILINE)
    return {name: (arguments.strip(), set(re.findall(r"`(-[^`]+)`", options))) for name, arguments, options in found}


def test_every_command_is_documented_and_no_other() -> None:
    assert set(_rows()) == set(_commands())


def test_every_argument_and_option_is_documented_and_no_other() -> None:
    for name, (arguments, options) in _rows().items():
        params = _commands()[name].params
        assert options == {opt for param in params if param.param_type_name == "option" for opt in param.opts}, name
        assert arguments == " ".join(param.metavar for param in params if param.param_type_name == "argument"), name


def test_every_command_has_json() -> None:
    for name, command in _commands().items():
        assert "--json" in {opt for param in command.params for opt in param.opts}, name


def test_every_option_and_command_says_what_it_is_for() -> None:
    for name, command in _commands().items():
        assert command.help, name
        assert not command.get_short_help_str(60).endswith("..."), f"{name}: the list of commands cuts it off"
        for param in command.params:
            assert param.help, f"{name} {param.name}"


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)}
    assert documented == {int(code) for code in Exit}
