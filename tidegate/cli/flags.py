"""Flags: what is in force, and what it means for whom."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tidegate.cli import flag_changes, flag_documents
from tidegate.cli.environment import Environment, chosen, subject_path
from tidegate.cli.options import AsJson

MaybeName = Annotated[str | None, typer.Argument(metavar="[FLAG]", help="Name of the flag; all without it.")]
Old = Annotated[int, typer.Argument(metavar="OLD", min=1, help="Number of a document.", show_default=False)]
New = Annotated[int, typer.Argument(metavar="NEW", min=1, help="Number of another one.", show_default=False)]
Key = Annotated[str, typer.Option("--key", "-k", metavar="ID", help="The targeting key: who asks.")]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", metavar="NAME=VALUE", help="An attribute of who asks; as often as needed."),
]
Limit = Annotated[int, typer.Option("-n", "--limit", min=1, max=1000, help="At most so many.")]

group = typer.Typer(name="flags", help="Feature flags: look, change, release.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    # In the order of the help: what is there, change it, whole documents, ask about them.
    for commands in ((list_, show), flag_changes.COMMANDS, flag_documents.COMMANDS, (diff, eval_, stale, history)):
        for command in commands:
            group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group)


def list_(environment: Environment = "", as_json: AsJson = False) -> None:
    """List the flags in force."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import all_flags, say_sessions  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        subject = chosen(client, environment)
        content = client.get(subject_path(subject, "flags"))
        sessions = "" if as_json else say_sessions(client.get(subject_path(subject)))
    if as_json:
        shown.document(content)
        return
    shown.line(f"{subject}, document {content['number']}")
    shown.say(all_flags(content["content"]["flags"]))
    if sessions:
        shown.line(sessions)


def show(flag: MaybeName = None, environment: Environment = "", as_json: AsJson = False) -> None:
    """Show a flag as it is written, or the whole document."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import as_yaml  # noqa: PLC0415
    from tidegate.cli.screen import clean, screen  # noqa: PLC0415
    from tidegate.core.errors import NotFound  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get(subject_path(chosen(client, environment), "flags"))["content"]
    if flag is not None and flag not in content["flags"]:
        raise NotFound(f"There is no flag {flag!r}.", f"Known flags: {', '.join(sorted(content['flags'])[:10]) or 'none'}.")
    said = content if flag is None else {flag: content["flags"][flag]}
    if as_json:
        shown.document(said)
    else:
        shown.line(clean(as_yaml(said)))


def diff(old: Old, new: New, environment: Environment = "", as_json: AsJson = False) -> None:
    """Say what changes between two documents, and for whom."""
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.flag_views import said_changes  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        application = chosen(client, environment).partition("/")[0]
        content = client.get(path_of("applications", application, "documents", str(old), "diff"), other=new)
    if as_json:
        shown.document(content)
        return
    for line in said_changes(content["changes"]) or ["Nothing changes."]:
        shown.line(line)


def eval_(
    flag: MaybeName = None,
    key: Key = "",
    context: Context = None,
    environment: Environment = "",
    as_json: AsJson = False,
) -> None:
    """Say what somebody gets, which rule won, and why.

    Of one flag also why the other rules did not hold.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import clean, clean_line, screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    body: dict[str, Any] = {"context": _context(key, context or [])}
    if flag is not None:
        body["flag"] = flag
    with open_client() as client:
        content = client.post(subject_path(chosen(client, environment), "eval"), body)
    if as_json:
        shown.document(content)
        return
    if flag is None:
        for result in content["results"]:
            shown.line(clean_line(f"{result['flag']}  {result['value']}  {result['reason'].lower()}  {result['rule'] or ''}"))
        return
    (result,) = content["results"]
    shown.line(clean(content["sentence"]))
    shown.line(f"document {result['document']}, {result['side']}")
    for step in content["steps"]:
        shown.line(f"  {clean(step)}")


def _context(key: str, said: list[str]) -> dict[str, Any]:
    from tidegate.cli.flag_file import read_value  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415

    context: dict[str, Any] = {"targetingKey": key} if key else {}
    for one in said:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise Refused(f"{one!r} is no attribute.", "Write it as plan=pro.")
        context[name] = read_value(value)
    return context


def stale(environment: Environment = "", as_json: AsJson = False) -> None:
    """List the flags that should be gone."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import clean_line, screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get(subject_path(chosen(client, environment), "stale"))
    if as_json:
        shown.document(content)
        return
    for one in content:
        shown.line(clean_line(f"{one['flag']}: {one['why']}" + (f" Owner: {one['owner']}." if one["owner"] else "")))
    if not content:
        shown.line("No flag is overdue.")


def history(environment: Environment = "", limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the documents of an application, newest first.

    How they were released is told by `tidegate history shop/prod`.
    """
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.flag_views import all_documents  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        application = chosen(client, environment).partition("/")[0]
        content = client.get(path_of("applications", application, "documents"), limit=limit)
    if as_json:
        shown.document(content)
    else:
        shown.say(all_documents(content))
