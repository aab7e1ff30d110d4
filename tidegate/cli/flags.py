"""Flags: what is in force, what it means for whom, and how it is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tidegate.cli.environment import Environment, chosen, subject_path
from tidegate.cli.flag_release import Base, Detach, FlagsPlan, Now, finish, how
from tidegate.cli.options import AsJson, Plain, Reason, Wait

File = Annotated[Path, typer.Option("--file", "-f", help="The flag document; - for standard input.", metavar="FILE")]
MaybeFile = Annotated[
    Path | None, typer.Option("--file", "-f", help="A flag document instead of the one in force.", metavar="FILE")
]
Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="tidegate, appconfig or flagd.")]
OutFormat = Annotated[str, typer.Option("--format", metavar="FORMAT", help="tidegate or appconfig.")]
Application = Annotated[
    str, typer.Option("--application", "-a", metavar="NAME", help="Of the document; flagd's and AppConfig's name none.")
]
Name = Annotated[str, typer.Argument(metavar="FLAG", help="Name of the flag.", show_default=False)]
MaybeName = Annotated[str | None, typer.Argument(metavar="[FLAG]", help="Name of the flag; all without it.")]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="on, off, a value, or a mapping in YAML.", show_default=False)]
Old = Annotated[int, typer.Argument(metavar="OLD", min=1, help="Number of a document.", show_default=False)]
New = Annotated[int, typer.Argument(metavar="NEW", min=1, help="Number of another one.", show_default=False)]
Key = Annotated[str, typer.Option("--key", "-k", metavar="ID", help="The targeting key: who asks.")]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", metavar="NAME=VALUE", help="An attribute of who asks; as often as needed."),
]
Document = Annotated[
    int | None, typer.Option("--document", min=1, metavar="NUMBER", help="A document that there is already, instead of a file.")
]
Limit = Annotated[int, typer.Option("-n", "--limit", min=1, max=1000, help="At most so many.")]

group = typer.Typer(name="flags", help="Feature flags: look, change, release.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group)


@group.command("list")
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


@group.command()
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


@group.command("set")
def set_(
    *,
    flag: Name,
    value: Value,
    environment: Environment = "",
    plan: FlagsPlan = None,
    base: Base = None,
    now: Now = False,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Give a flag another value or rules, and release it."""
    from tidegate.cli.flag_file import read_value  # noqa: PLC0415

    body = {**how(plan=plan, base=base, now=now, reason=reason), "content": read_value(value)}
    _release(environment, ("flags", flag), body, put=True, detach=detach, wait=wait, plain=plain, as_json=as_json)


@group.command()
def on(
    *,
    flag: Name,
    environment: Environment = "",
    plan: FlagsPlan = None,
    base: Base = None,
    now: Now = False,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Turn a flag on, step by step.

    For everybody, or for whom its rules say.
    """
    body = how(plan=plan, base=base, now=now, reason=reason)
    _release(environment, ("flags", flag, "on"), body, put=False, detach=detach, wait=wait, plain=plain, as_json=as_json)


@group.command()
def off(
    *,
    flag: Name,
    environment: Environment = "",
    plan: FlagsPlan = None,
    base: Base = None,
    now: Now = False,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Turn a flag off; with --now for everybody at once.

    Its rules are kept, so that it can be turned on again as it was.
    """
    body = how(plan=plan, base=base, now=now, reason=reason)
    _release(environment, ("flags", flag, "off"), body, put=False, detach=detach, wait=wait, plain=plain, as_json=as_json)


def _release(
    environment: str, parts: tuple[str, ...], body: Any, *, put: bool, detach: bool, wait: bool, plain: bool, as_json: bool
) -> None:
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    with open_client() as client:
        path = subject_path(chosen(client, environment), *parts)
        done = client.put(path, body) if put else client.post(path, body)
    finish(screen(as_json=as_json), done, detach=detach, wait=wait, plain=plain)


@group.command()
def deploy(
    *,
    file: MaybeFile = None,
    document: Document = None,
    environment: Environment = "",
    format_: Format = "tidegate",
    plan: FlagsPlan = None,
    base: Base = None,
    now: Now = False,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Release a flag document step by step and follow it.

    Exit codes are those of `tidegate deploy`.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.flag_views import said_changes  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415

    if (file is None) == (document is None):
        raise Refused("Name one: a file, or the number of a document.", "tidegate flags deploy -f FILE, or --document NUMBER.")
    shown = screen(as_json=as_json)
    content = None if file is None else read_content(file)
    body = how(plan=plan, base=base, now=now, reason=reason)
    body |= {"number": document} if file is None else {"content": content, "format": format_}
    with open_client() as client:
        subject = chosen(client, environment, _application(content))
        if content is not None:
            checked = client.post(subject_path(subject, "validate"), {"content": content, "format": format_})
            for line in said_changes(checked["changes"]) if not as_json else ():
                shown.line(line)
        done = client.post(subject_path(subject, "deploy"), body)
    finish(shown, done, detach=detach, wait=wait, plain=plain)


def _application(content: Any) -> str:
    said = content.get("application") if isinstance(content, dict) else None
    return said if isinstance(said, str) else ""


@group.command()
def configure(file: File, as_json: AsJson = False) -> None:
    """Take over an environment file.

    That is plan, alarms, comparison and who is told of it.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.document import read  # noqa: PLC0415
    from tidegate.core.environment import Environment as EnvironmentFile  # noqa: PLC0415

    shown = screen(as_json=as_json)
    sound = read(EnvironmentFile, read_content(file), str(file))
    with open_client() as client:
        answered = client.put(subject_path(sound.subject), sound.model_dump(mode="json", exclude_none=True))
    if as_json:
        shown.document(answered)
    else:
        shown.line(answered["sentence"])


@group.command()
def validate(file: File, format_: Format = "tidegate", application: Application = "app", as_json: AsJson = False) -> None:
    """Check a flag document, without asking anybody."""
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    document = _read(read_content(file), format_, application)
    shown = screen(as_json=as_json)
    counts = {"application": document.application, "flags": len(document.flags), "segments": len(document.segments)}
    if as_json:
        shown.document(counts)
    else:
        shown.line(f"{file} is sound: {counts['flags']} flags and {counts['segments']} segments of {document.application}.")


def _read(content: Any, kind: str, application: str) -> Any:
    from tidegate.core.errors import Refused  # noqa: PLC0415
    from tidegate.core.flags.appconfig import read_appconfig  # noqa: PLC0415
    from tidegate.core.flags.flagd import read_flagd  # noqa: PLC0415
    from tidegate.core.flags.flags_file import read_flags  # noqa: PLC0415

    match kind:
        case "tidegate":
            return read_flags(content)
        case "appconfig":
            return read_appconfig(content, application)
        case "flagd":
            return read_flagd(content, application)
        case _:
            raise Refused(f"{kind!r} is no format of flag documents.", "Use tidegate, appconfig or flagd.")


@group.command("import")
def import_(file: File, format_: Format = "appconfig", application: Application = "app", as_json: AsJson = False) -> None:
    """Print a document of AppConfig or flagd in our words.

    Nothing is deployed.
    """
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.flag_views import as_yaml  # noqa: PLC0415
    from tidegate.cli.screen import clean, screen  # noqa: PLC0415
    from tidegate.core.flags.flags_writer import write_flags  # noqa: PLC0415

    content = write_flags(_read(read_content(file), format_, application))
    shown = screen(as_json=as_json)
    if as_json:
        shown.document(content)
    else:
        shown.line(clean(as_yaml(content)))


@group.command()
def export(environment: Environment = "", format_: OutFormat = "appconfig", as_json: AsJson = False) -> None:
    """Print the document in force for AppConfig, or in our words.

    Refused with the reason where its meaning would be lost.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import as_yaml  # noqa: PLC0415
    from tidegate.cli.screen import clean, screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get(subject_path(chosen(client, environment), "flags"), format=format_)["content"]
    if as_json or format_ == "appconfig":
        shown.document(content)
    else:
        shown.line(clean(as_yaml(content)))


@group.command()
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


@group.command("eval")
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


@group.command()
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


@group.command()
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
