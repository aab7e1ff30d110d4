"""What a person may do to a rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.completion import subject_names, version_names
from tidegate.cli.environment import subject_path
from tidegate.cli.options import AsJson, OneSubject, Reason

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen

Full = Annotated[bool, typer.Option("--full", help="To the last step, instead of the next one.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is in flight.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="VERSION", help="By default the version before.", autocompletion=version_names),
]
Alone = Annotated[bool, typer.Option("--alone", help="Leave the other parts of the release that brought it.")]
ServiceOrAll = Annotated[
    str | None,
    typer.Argument(metavar="SERVICE", help="Service, or environment as shop/prod; or --all.", autocompletion=subject_names),
]


def add_to(app: typer.Typer) -> None:
    for command in (pause, resume, promote, abort, rollback):
        app.command()(command)


def pause(service: OneSubject, reason: Reason = "", as_json: AsJson = False) -> None:
    """Hold the exposure of a rollout. Guards keep looking."""
    _intervene(service, "pause", {"reason": reason}, as_json)


def resume(service: OneSubject, reason: Reason = "", as_json: AsJson = False) -> None:
    """Let a paused rollout go on."""
    _intervene(service, "resume", {"reason": reason}, as_json)


def promote(service: OneSubject, full: Full = False, reason: Reason = "", as_json: AsJson = False) -> None:
    """Go to the next step now.

    Without waiting for the time, gate or hook of the present one. Guards keep looking.
    """
    _intervene(service, "promote", {"full": full, "reason": reason}, as_json)


def abort(service: ServiceOrAll = None, all_: All = False, reason: Reason = "", as_json: AsJson = False) -> None:
    """Roll back now."""
    from tidegate.core.errors import Refused  # noqa: PLC0415

    if (service is None) != all_:
        raise Refused("Name one service, or say --all.", "tidegate abort SERVICE, or tidegate abort --all.")
    if service is not None:
        _intervene(service, "abort", {"reason": reason}, as_json)
        return
    answered, shown = _post("/abort", {"reason": reason}, as_json)
    if shown.json:
        shown.document(answered)
        return
    for rollout in answered:
        _tell(shown, rollout)
    if not answered:
        shown.line("Nothing was in flight.")


def rollback(service: OneSubject, to: To = None, alone: Alone = False, reason: Reason = "", as_json: AsJson = False) -> None:
    """Bring back the version before, at once.

    A rollout in flight goes back. What was released together goes back together.
    """
    body: dict[str, Any] = {"reason": reason, "alone": alone} | ({} if to is None else {"to": to})
    answered, shown = _post(subject_path(service, "rollback"), body, as_json)
    if shown.json:
        shown.document(answered)
        return
    shown.line(answered["sentence"])
    if answered["rollout"] is not None:
        shown.line(f"Follow it: tidegate watch {service}.")


def _intervene(service: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    answered, shown = _post(subject_path(service, verb), body, as_json)
    if shown.json:
        shown.document(answered)
    else:
        _tell(shown, answered)


def _post(path: str, body: dict[str, Any], as_json: bool) -> tuple[Any, Screen]:
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    with open_client() as client:
        return client.post(path, body), screen(as_json=as_json)


def _tell(shown: Screen, content: Any) -> None:
    from tidegate.cli.answers import Rollout, read_as  # noqa: PLC0415
    from tidegate.cli.board import say_phase  # noqa: PLC0415

    rollout = read_as(Rollout, content)
    shown.line(f"{rollout.id} ({rollout.candidate}): {say_phase(rollout)}.")
    if rollout.in_flight:
        shown.line(f"Follow it: tidegate watch {rollout.service}.")
