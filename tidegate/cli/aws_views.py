"""What was found on AWS, for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from tidegate.cli.screen import clean_line
from tidegate.drivers.aws.policy import agents_policy, controller_policy, policy_of, trust_policy

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen
    from tidegate.core.environment import Environment
    from tidegate.core.service import Service
    from tidegate.drivers.aws.findings import Survey


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


@dataclass(frozen=True, slots=True)
class IamDocument:
    """`key` names it in JSON."""

    key: str
    title: str
    content: dict[str, Any]


def documents_of(file: Service | Environment, found: Survey, namespace: str, who: str = "") -> list[IamDocument]:
    """The policy of Tidegate's role first, then those of others. `who`: ARN of whoever asks, as far as it is known."""
    role = file.access.role
    own = policy_of(file, found.roles, "" if role else namespace, found.service, found.flags)
    whose = f"The role {role}" if role else "Tidegate's role"
    documents = [IamDocument("policy", f"{whose} needs this policy:", own)]
    if role:
        trusts = "It has to trust whoever runs the controller; this is whoever asks here:"
        documents.append(IamDocument("trust", trusts, trust_policy(who)))
        title = "Whoever runs the controller needs this one:"
        documents.append(IamDocument("controller", title, controller_policy(role, namespace)))
    if found.flags is not None:
        title = "The role of agents (and of whoever else reads these flags from AppConfig) needs this one:"
        documents.append(IamDocument("agents", title, agents_policy(found.flags)))
    return documents


def show_document(shown: Screen, content: dict[str, Any]) -> None:
    """As it is pasted into IAM."""
    shown.out.out(json.dumps(content, indent=2), highlight=False)
