"""Watch: come back to a rollout."""

from __future__ import annotations

import typer

from tidegate.cli.environment import subject_path
from tidegate.cli.options import AsJson, OneSubject, Plain, Wait


def add_to(app: typer.Typer) -> None:
    app.command()(watch)


def watch(service: OneSubject, wait: Wait = False, plain: Plain = False, as_json: AsJson = False) -> None:
    """Follow the rollout of a service to its end. Exit codes are those of deploy."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.watching import follow_to_the_end  # noqa: PLC0415
    from tidegate.core.errors import NotFound  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        rollout = client.get(subject_path(service))["rollout"]
        if rollout is None:
            raise NotFound(f"{service} has no rollout.", "Start one: tidegate deploy -f FILE --version VERSION.")
        events = client.get("/events", rollout=rollout["id"], limit=4)
    after = max((event["id"] for event in events[:1]), default=1) - 1
    raise typer.Exit(follow_to_the_end(shown, rollout["id"], wait=wait, plain=plain, after=after))
