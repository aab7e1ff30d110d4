"""Deploy: say what will happen, begin, follow to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.asking import confirm
from tidegate.cli.completion import version_names
from tidegate.cli.options import AsJson, File, Plain, Plan, Reason, Wait

if TYPE_CHECKING:
    from tidegate.cli.answers import Preview
    from tidegate.cli.screen import Screen

Version = Annotated[
    str | None,
    typer.Option(
        "--version",
        metavar="VERSION",
        help="Name of this version; by default one made of its content.",
        autocompletion=version_names,
    ),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Begin and return; do not follow.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even when nothing would protect the users.")]


def add_to(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    *,
    file: File,
    version: Version = None,
    plan: Plan = None,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    yes: Yes = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Release a version step by step and follow it.

    Exits with 0 when it is completed, 3 when it was rolled back, 4 when it waits for a person, 5 when Tidegate did not
    answer for a minute, 2 when it was refused. Ctrl-C leaves it running.
    """
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_file import content_name, read_service_file, to_send  # noqa: PLC0415
    from tidegate.cli.watching import follow_to_the_end  # noqa: PLC0415

    shown = screen(as_json=as_json)
    service = read_service_file(file)
    name = version or content_name(service.tasks)
    body: dict[str, Any] = {"file": to_send(service), "version": name}
    if plan is not None:
        body["plan"] = plan
    with open_client() as client:
        preview = _tell_first(shown, client.post("/validate", body))
        if not yes and (why := _unprotected(preview)):
            confirm(shown, f"{why}\nBegin all the same?")
        done = client.post(path_of("services", service.service, "deploy"), {**body, "reason": reason})
    if done["rollout"] is None or detach:
        _tell_begun(shown, done, unnamed=version is None)
        return
    if not done["new"] and not as_json:
        shown.line(done["sentence"])
    raise typer.Exit(follow_to_the_end(shown, done["rollout"]["id"], wait=wait, plain=plain, after=0))


def _tell_first(shown: Screen, content: Any) -> Preview:
    from tidegate.cli.answers import Preview, read_as  # noqa: PLC0415
    from tidegate.cli.preview import ahead  # noqa: PLC0415

    preview = read_as(Preview, content)
    if not shown.json:
        shown.say(ahead(preview, shown.glyphs))
        shown.say()
    return preview


def _unprotected(preview: Preview) -> str:
    from tidegate.cli.preview import unprotected  # noqa: PLC0415

    return unprotected(preview)


def _tell_begun(shown: Screen, done: Any, *, unnamed: bool) -> None:
    if shown.json:
        shown.document(done)
        return
    shown.line(done["sentence"])
    if done["rollout"] is not None:
        service = done["rollout"]["service"]
        shown.line(f"Follow it: tidegate watch {service}.  Stop it: tidegate abort {service}.")
    elif unnamed:
        shown.line("The file's tasks are unchanged. New code under the same command needs a name: --version VERSION.")
