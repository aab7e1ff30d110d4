"""What is done with a service file besides deploying it."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import AsJson, File

Version = Annotated[str | None, typer.Option("--version", metavar="VERSION", help="As which version it would be deployed.")]


def add_to(app: typer.Typer) -> None:
    app.command()(apply)
    app.command()(validate)


def apply(file: File, as_json: AsJson = False) -> None:
    """Take over a service file, all but its tasks.

    That is listener, stickiness, plan, alarms, count and who is told. Tasks change by deploy.
    """
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_file import read_service_file, to_send  # noqa: PLC0415

    service = read_service_file(file)
    shown = screen(as_json=as_json)
    with open_client() as client:
        answered = client.put(path_of("services", service.service), to_send(service))
    if as_json:
        shown.document(answered)
    else:
        shown.line(answered["sentence"])


def validate(file: File, version: Version = None, as_json: AsJson = False) -> None:
    """Check a service file, and say what it would do.

    Also against this machine, when Tidegate runs here: command, port, router.
    """
    from tidegate.cli.answers import Preview, read_as  # noqa: PLC0415
    from tidegate.cli.client import NotRunning, open_client  # noqa: PLC0415
    from tidegate.cli.preview import ahead  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_file import content_name, read_service_file, to_send  # noqa: PLC0415

    service = read_service_file(file)
    shown = screen(as_json=as_json)
    name = version or content_name(service.tasks)
    try:
        with open_client() as client:
            answered = client.post("/validate", {"file": to_send(service), "version": name})
    except NotRunning:
        told = f"{file} is a sound service file. Tidegate does not run here: command, port and router were not checked."
        if as_json:
            shown.document({"service": service.service, "candidate": name, "checked": "file"})
        else:
            shown.line(told)
        return
    if as_json:
        shown.document({**answered, "checked": "file and machine"})
        return
    shown.line(f"{file} can be deployed:")
    shown.say(ahead(read_as(Preview, answered), shown.glyphs))
