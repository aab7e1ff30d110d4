"""Asking a person before something that cannot be taken back at once. Programs are not asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen


def can_ask(shown: Screen) -> bool:
    """Whether there is a person at a terminal."""
    return not shown.json and sys.stdin.isatty() and shown.out.is_terminal


def confirm(shown: Screen, question: str) -> None:
    """Ends the command when the person says no. Without a person at a terminal it goes on."""
    if not can_ask(shown):
        return
    if not typer.confirm(question):
        shown.line("Nothing was changed.")
        raise typer.Exit(2)
