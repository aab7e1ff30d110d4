"""What was found on AWS, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.table import Table

from tidegate.cli.screen import clean_line

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen
    from tidegate.drivers.aws.survey import Survey


def show_survey(shown: Screen, survey: Survey) -> None:
    """Each thing with what it is now, then what is wrong."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    for title in ("", "name", "now", "a release changes"):
        table.add_column(title, overflow="fold")
    for one in survey.findings:
        cells = (one.kind, one.name, one.is_now, one.changes or "nothing")
        table.add_row(*map(clean_line, cells), style="red" if one.wrong else None)
    shown.say(table)
    for one in survey.wrong:
        shown.line("")
        shown.line(clean_line(one.wrong), style="bold red")
        shown.line(clean_line(one.mend))


def show_policy(shown: Screen, policy: dict[str, Any]) -> None:
    """As it is pasted into IAM."""
    shown.out.out(json.dumps(policy, indent=2), highlight=False)
