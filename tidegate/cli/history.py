"""History: the rollouts there were, and why each went as it did."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import AsJson, MaybeSubject, OneRollout

Limit = Annotated[int, typer.Option("-n", "--limit", min=1, max=1000, help="At most so many.")]


def add_to(app: typer.Typer) -> None:
    app.command()(history)
    app.command()(explain)


def history(service: MaybeSubject = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the rollouts, newest first.

    With how they ended, and whom they harmed.
    """
    from tidegate.cli.answers import Rollout, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.history_views import all_rollouts  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get("/rollouts", service=service, limit=limit)
    if as_json:
        shown.document(content)
    elif not content:
        shown.line("No rollout yet.")
    else:
        shown.say(all_rollouts([read_as(Rollout, one) for one in content], shown.glyphs))


def explain(rollout: OneRollout, as_json: AsJson = False) -> None:
    """Tell every decision about a rollout.

    With the figures and guards that it was made with.
    """
    from tidegate.cli.answers import Event, Rollout, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.history_views import explained  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get(path_of("rollouts", rollout, "events"))
    if as_json:
        shown.document(content)
        return
    events = [read_as(Event, event) for event in content["events"]]
    shown.say(explained(read_as(Rollout, content["rollout"]), events, shown.glyphs))
