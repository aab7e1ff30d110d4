"""Releasing a change of flags: what all commands share that make one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tidegate.cli.screen import Screen

Now = Annotated[bool, typer.Option("--now", help="At once for everybody, without steps and guards.")]
Base = Annotated[
    int | None, typer.Option("--base", min=0, metavar="NUMBER", help="Refuse when another document is in force than this one.")
]
FlagsPlan = Annotated[
    str | None, typer.Option("--plan", metavar="PLAN", help="Instead of the environment's plan, as `linear 10% every 1m`.")
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Begin and return; do not follow.")]


def how(*, plan: str | None, base: int | None, now: bool, reason: str) -> dict[str, Any]:
    """The part of a request that says how a change is released."""
    said: dict[str, Any] = {"now": now, "reason": reason}
    if plan is not None:
        said["plan"] = plan
    if base is not None:
        said["base"] = base
    return said


def finish(shown: Screen, done: Any, *, detach: bool, wait: bool, plain: bool) -> None:
    """Follows what has begun to its end, or says that it has begun."""
    from tidegate.cli.watching import follow_to_the_end  # noqa: PLC0415

    rollout = done["rollout"]
    if rollout is not None and not detach:
        if not shown.json:
            shown.line(done["sentence"])
        raise typer.Exit(follow_to_the_end(shown, rollout["id"], wait=wait, plain=plain, after=0))
    if shown.json:
        shown.document(done)
        return
    shown.line(done["sentence"])
    if rollout is not None:
        shown.line(f"Follow it: tidegate watch {rollout['service']}.  Stop it: tidegate abort {rollout['service']}.")
