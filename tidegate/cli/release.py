"""Releases: versions and flags that go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.asking import confirm
from tidegate.cli.completion import release_ids
from tidegate.cli.options import AsJson, Plain, Reason, Wait

if TYPE_CHECKING:
    from tidegate.cli.client import Client
    from tidegate.cli.screen import Screen

File = Annotated[Path, typer.Option("--file", "-f", help="The release file; - for standard input.", metavar="FILE")]
Plan = Annotated[
    str | None, typer.Option("--plan", metavar="PLAN", help="Instead of the release file's plan, as `linear 10% every 1m`.")
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Begin and return; do not follow.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even when nothing would protect the users.")]
Limit = Annotated[int, typer.Option("-n", "--limit", min=1, max=1000, help="At most so many.")]
MaybeRelease = Annotated[
    str | None,
    typer.Argument(metavar="[RELEASE]", help="Id of a release, as checkout-3; all without it.", autocompletion=release_ids),
]


def add_to(app: typer.Typer) -> None:
    app.command()(release)
    app.command()(releases)


def release(
    *,
    file: File,
    plan: Plan = None,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    yes: Yes = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Release versions and flags together and follow them.

    The same users get all of it or nothing of it, and it goes back together. What you do to one part, as pause, promote or
    abort, is done to all. Exit codes are those of `tidegate deploy`.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.ending import say_ending  # noqa: PLC0415
    from tidegate.cli.release_file import read_release_file  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.watching import follow_to_the_end  # noqa: PLC0415

    shown = screen(as_json=as_json)
    body = read_release_file(file)
    if plan is not None:
        body["plan"] = plan
    if reason:
        body["reason"] = reason
    with open_client() as client:
        risks = [*_versions_first(shown, client, body), *_flags_first(shown, client, body)]
        if risks and not yes:
            confirm(shown, "\n".join([*risks, "Begin all the same?"]))
        done = client.post("/releases", body)
    if not done["rollouts"] or detach:
        _tell_begun(shown, done)
        return
    if not as_json:
        for sentence in done["sentences"]:
            shown.line(sentence)
    first, *others = [rollout["id"] for rollout in done["rollouts"]]
    code = follow_to_the_end(shown, first, wait=wait, plain=plain, after=0)
    if not as_json:
        with open_client() as client:
            for id_ in others:
                rollout = _read(client.get(f"/rollouts/{id_}"))
                for line in say_ending(rollout) if not rollout.in_flight else ():
                    shown.line(line)
    raise typer.Exit(code)


def releases(release: MaybeRelease = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the releases, newest first, or show one of them."""
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.history_views import all_rollouts  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get("/releases", limit=limit) if release is None else client.get(path_of("releases", release))
    if as_json:
        shown.document(content)
        return
    for one in content if release is None else [content]:
        shown.line(f"{one['release']}: {one['phase'].replace('_', ' ')} (by {one['by']})")
        shown.say(all_rollouts([_read(rollout) for rollout in one["rollouts"]], shown.glyphs))
    if not content:
        shown.line("No release yet.")


def _read(content: Any) -> Any:
    from tidegate.cli.answers import Rollout, read_as  # noqa: PLC0415

    return read_as(Rollout, content)


def _versions_first(shown: Screen, client: Client, body: dict[str, Any]) -> list[str]:
    """What each version will do, before any part begins; why nobody would take one of them back."""
    from tidegate.cli.answers import Preview, read_as  # noqa: PLC0415
    from tidegate.cli.preview import ahead, unprotected  # noqa: PLC0415

    risks = []
    for part in body.get("services", ()):
        asked = {"file": part["file"], "version": part.get("version"), "plan": _plan(body)}
        preview = read_as(Preview, client.post("/validate", asked))
        if not shown.json:
            shown.say(ahead(preview, shown.glyphs))
            shown.say()
        risks += [why] if (why := unprotected(preview)) else []
    return risks


def _flags_first(shown: Screen, client: Client, body: dict[str, Any]) -> list[str]:
    """The same of each flag document. It is noted from which one it is made: another one meanwhile is a conflict."""
    from tidegate.cli.answers import read_as  # noqa: PLC0415
    from tidegate.cli.environment import subject_path  # noqa: PLC0415
    from tidegate.cli.flags_ahead import FlagsAhead, flags_ahead, unprotected  # noqa: PLC0415

    risks = []
    for part in body.get("flags", ()):
        content = part["content"]
        application = part.get("application") or (content.get("application") if isinstance(content, dict) else None)
        subject = f"{application}/{part.get('environment')}"
        asked = {"content": content, "format": part.get("format", "tidegate"), "plan": _plan(body)}
        ahead = read_as(FlagsAhead, client.post(subject_path(subject, "validate"), asked))
        part.setdefault("base", ahead.base)
        if not shown.json:
            shown.say(flags_ahead(ahead, shown.glyphs))
            shown.say()
        risks += [why] if (why := unprotected(ahead)) else []
    return risks


def _plan(body: dict[str, Any]) -> Any:
    from tidegate.core.plan import PlanFile  # noqa: PLC0415

    return body.get("plan", PlanFile.default().resolve().said)


def _tell_begun(shown: Screen, done: Any) -> None:
    if shown.json:
        shown.document(done)
        return
    for sentence in done["sentences"]:
        shown.line(sentence)
    if done["rollouts"]:
        first = done["rollouts"][0]["service"]
        shown.line(f"Follow it: tidegate watch {first}.  Stop all of it: tidegate abort {first}.")
