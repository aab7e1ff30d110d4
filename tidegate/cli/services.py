"""Services: what runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.asking import confirm
from tidegate.cli.environment import subject_path
from tidegate.cli.options import AsJson, MaybeSubject, OneService, OneSubject, Reason

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    for command in (status, services, restart, remove):
        app.command()(command)


def status(service: MaybeSubject = None, as_json: AsJson = False) -> None:
    """Show how everything stands, or one service.

    One service is shown with its tasks, alarms and rollout.
    """
    from tidegate.cli.answers import Service, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.environment_views import one_environment  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_views import one_service  # noqa: PLC0415

    shown = screen(as_json=as_json)
    if service is None:
        _list(shown)
        _list_environments(shown)
        return
    with open_client() as client:
        content = client.get(subject_path(service))
    if as_json:
        shown.document(content)
    elif "/" in service:
        shown.say(one_environment(content, shown.glyphs, shown.out.width))
    else:
        shown.say(one_service(read_as(Service, content), shown.glyphs, shown.out.width))


def services(as_json: AsJson = False) -> None:
    """List the services."""
    from tidegate.cli.screen import screen  # noqa: PLC0415

    _list(screen(as_json=as_json))


def _list(shown: Screen) -> None:
    from tidegate.cli.answers import Service, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.service_views import all_services  # noqa: PLC0415

    with open_client() as client:
        content: list[Any] = client.get("/services")
    if shown.json:
        shown.document(content)
    elif not content:
        shown.line("No service yet. Write a file (tidegate example service > web.yaml), then: tidegate deploy -f web.yaml.")
    else:
        shown.say(all_services([read_as(Service, one) for one in content], shown.glyphs, shown.out.width))


def _list_environments(shown: Screen) -> None:
    """Beneath the services, where there are any; programs ask for the services alone."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import all_environments  # noqa: PLC0415

    if shown.json:
        return
    with open_client() as client:
        found = client.get("/environments")
    if found:
        shown.say()
        shown.say(all_environments(found))


def restart(service: OneService, as_json: AsJson = False) -> None:
    """Replace the tasks of a service one by one.

    No request fails.
    """
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    with open_client() as client:
        _said(screen(as_json=as_json), client.post(path_of("services", service, "restart")))


def remove(service: OneSubject, reason: Reason = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """Take a service out and end its tasks.

    Or an environment, as shop/prod: agents keep its last flags. History stays.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        path = subject_path(service)
        if not yes:
            confirm(shown, f"{_harm_of_removal(service, client.get(path))} Remove it?")
        _said(shown, client.delete(path, {"reason": reason}))


def _harm_of_removal(subject: str, content: Any) -> str:
    if "/" not in subject:
        return f"Users of {subject} get errors from then on."
    agents = len(content["agents"])
    if not agents:
        return f"No agent asks for the flags of {subject} now."
    who = "1 agent goes on with its" if agents == 1 else f"{agents:,} agents go on with their"
    return f"{who} last flags of {subject}, and nobody can change or switch them off any more."


def _said(shown: Screen, answered: Any) -> None:
    if shown.json:
        shown.document(answered)
    else:
        shown.line(answered["sentence"])
