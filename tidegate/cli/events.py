"""Events: what happened, and who did it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.completion import rollout_ids, service_names
from tidegate.cli.options import AsJson

if TYPE_CHECKING:
    from tidegate.cli.client import Client
    from tidegate.cli.screen import Screen

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with every new event.")]
Limit = Annotated[int, typer.Option("-n", "--limit", min=1, max=1000, help="The last so many.")]
OfService = Annotated[
    str | None, typer.Option("--service", metavar="SERVICE", help="Only of this service.", autocompletion=service_names)
]
OfRollout = Annotated[
    str | None, typer.Option("--rollout", metavar="ROLLOUT", help="Only of this rollout.", autocompletion=rollout_ids)
]


def add_to(app: typer.Typer) -> None:
    app.command()(events)


def events(
    *, service: OfService = None, rollout: OfRollout = None, limit: Limit = 50, follow: Follow = False, as_json: AsJson = False
) -> None:
    """List the last events. With --json and --follow a document a line."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get("/events", service=service, rollout=rollout, limit=limit)
        if as_json and not follow:
            shown.document(content)
            return
        for event in content:
            _tell(shown, event)
    if follow:
        _follow(shown, content[-1]["id"] if content else 0, service=service, rollout=rollout)


def _follow(shown: Screen, after: int, *, service: str | None, rollout: str | None) -> None:
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.core.errors import Unreachable  # noqa: PLC0415

    lost = False
    while True:
        try:
            with open_client() as client:
                for id_, event in _new(client, after, service, rollout):
                    lost, after = False, id_ or after
                    if event is not None:
                        _tell(shown, event)
        except Unreachable as error:
            if not lost:
                shown.err.print(f"{error.what} Trying again.", soft_wrap=True)
            lost = True
        time.sleep(0.5)


def _new(client: Client, after: int, service: str | None, rollout: str | None) -> Any:
    from tidegate.cli.follow import read_messages  # noqa: PLC0415

    with client.lines("/stream", params={"service": service, "rollout": rollout, "after": after}) as lines:
        for kind, id_, content in read_messages(lines):
            yield (int(id_), content) if kind == "event" else (0, None)


def _tell(shown: Screen, content: Any) -> None:
    from tidegate.cli.answers import Event, read_as  # noqa: PLC0415
    from tidegate.cli.board import say_event  # noqa: PLC0415
    from tidegate.cli.figures import moment  # noqa: PLC0415

    if shown.json:
        shown.json_line(content)
        return
    event = read_as(Event, content)
    by = "" if event.actor == "tidegate" else f" (by {event.actor})"
    shown.line(f"{moment(event.at)}  {event.rollout or event.service}  {say_event(event)}{by}")
