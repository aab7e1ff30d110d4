"""Releasing a change of flags: what all commands share that make one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tidegate.cli.asking import confirm
from tidegate.cli.environment import Environment
from tidegate.cli.options import AsJson, Plain, Reason, Wait

if TYPE_CHECKING:
    from tidegate.cli.client import Client
    from tidegate.cli.screen import Screen

Now = Annotated[bool, typer.Option("--now", help="At once for everybody, without steps and guards.")]
Base = Annotated[
    int | None, typer.Option("--base", min=0, metavar="NUMBER", help="Refuse when another document is in force than this one.")
]
FlagsPlan = Annotated[
    str | None, typer.Option("--plan", metavar="PLAN", help="Instead of the environment's plan, as `linear 10% every 1m`.")
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Begin and return; do not follow.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even when nothing would protect the users.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How a change is released and followed: the options of every command that makes one."""

    environment: Environment = ""
    plan: FlagsPlan = None
    base: Base = None
    now: Now = False
    yes: Yes = False
    reason: Reason = ""
    detach: Detach = False
    wait: Wait = False
    plain: Plain = False
    as_json: AsJson = False

    @property
    def body(self) -> dict[str, Any]:
        """The part of a request that says it."""
        said = {"now": self.now, "reason": self.reason, "plan": self.plan, "base": self.base}
        return {name: value for name, value in said.items() if value is not None}


def releasing(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command these options; it gets them together, as `release`."""
    names = {field.name for field in fields(Release)}
    hints = {**get_type_hints(command, include_extras=True), **get_type_hints(Release, include_extras=True)}

    @wraps(command)
    def run(**given: Any) -> None:
        options = {name: given.pop(name) for name in names}
        command(**given, release=Release(**options))

    own = [one for name, one in inspect.signature(command).parameters.items() if name != "release"]
    options = [inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default) for one in fields(Release)]
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[one.name]) for one in (*own, *options)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def tell_first(client: Client, shown: Screen, subject: str, content: Any, release: Release) -> int | None:
    """What the change does, for whom, and what looks after it; asks when nothing does. Returns the document that it is made
    from. Who wants it now gets it now."""
    from tidegate.cli.answers import read_as  # noqa: PLC0415
    from tidegate.cli.environment import subject_path  # noqa: PLC0415
    from tidegate.cli.flags_ahead import FlagsAhead, flags_ahead, unprotected  # noqa: PLC0415

    if release.now:
        return release.base
    body = content if release.plan is None else {**content, "plan": release.plan}
    ahead = read_as(FlagsAhead, client.post(subject_path(subject, "validate"), body))
    if not shown.json and ahead.changes:
        shown.say(flags_ahead(ahead, shown.glyphs))
        shown.say()
    if not release.yes and (why := unprotected(ahead)):
        confirm(shown, f"{why}\nBegin all the same?")
    return ahead.base if release.base is None else release.base


def finish(shown: Screen, done: Any, release: Release) -> None:
    """Follows what has begun to its end, or says that it has begun."""
    from tidegate.cli.watching import follow_to_the_end  # noqa: PLC0415

    rollout = done["rollout"]
    if rollout is not None and not release.detach:
        if not shown.json:
            shown.line(done["sentence"])
        raise typer.Exit(follow_to_the_end(shown, rollout["id"], wait=release.wait, plain=release.plain, after=0))
    if shown.json:
        shown.document(done)
        return
    shown.line(done["sentence"])
    if rollout is not None:
        shown.line(f"Follow it: tidegate watch {rollout['service']}.  Stop it: tidegate abort {rollout['service']}.")
